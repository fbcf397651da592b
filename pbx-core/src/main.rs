//! `pbx`: joins the telephone system and its administration.
#![forbid(unsafe_code)]

mod web;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use pbx_core::api::dialplan::Question;
use pbx_core::api::{Desk, Lang, Live, administrator, certificate, text};
use pbx_core::command::{self, Command, Lock, LockError, Parsed, Reply, Request, Said, carry_out, config_sentence, file_sentence};
use pbx_core::config::Config;
use pbx_core::runtime::start::{self, StartError};
use pbx_core::telemetry;
use pbx_core::transport::certificate::CertificateError;
use tokio::net::{TcpListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let lang = Lang::of_environment();
    let parsed = match command::parse(lang, std::env::args_os()) {
        Ok(parsed) => parsed,
        Err(Said::Help(said)) => {
            let _ = std::io::stdout().write_all(said.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(Said::Wrong(said)) => {
            eprint!("{said}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(parsed, lang)),
        Err(error) => Err(anyhow!(error)),
    };
    match done {
        Ok(reply) => {
            // Whoever reads may have read enough and gone.
            let _ = std::io::stdout().write_all(reply.out.as_bytes());
            let _ = std::io::stderr().write_all(reply.error.as_bytes());
            if reply.good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(parsed: Parsed, lang: Lang) -> anyhow::Result<Reply> {
    if parsed.command == Command::Version {
        return Ok(Reply::good(concat!("pbx ", env!("CARGO_PKG_VERSION"), "\n")));
    }
    let config = command::configuration(&parsed).map_err(|error| anyhow!(config_sentence(lang, &error)))?;
    if parsed.command == Command::Serve {
        serve(config, lang).await?;
        return Ok(Reply::good(""));
    }
    let written_to = if let Command::ExportPlan(file) = &parsed.command { Some(file.clone()) } else { None };
    let checked_config = matches!(&parsed.command, Command::Check(None));
    let mut reply = asked(&config, request(parsed.command, lang)?, lang).await?;
    if checked_config && reply.good {
        reply.out.insert_str(0, &(text(lang, "cli.check.config", &[]) + "\n"));
        if let Some(code) = certificate::check(&config) {
            let sentence = |part: &str| text(lang, &format!("certificate.{part}.{code}"), &[]);
            let said = format!("{} {}\n", sentence("trouble"), sentence("remedy"));
            // What serves today and not for long is said, and no mistake yet.
            if code == "expires_soon" { reply.out.push_str(&said) } else { reply = Reply::bad(said) }
        }
    }
    match written_to {
        Some(file) if file != Path::new("-") && reply.good => {
            std::fs::write(&file, std::mem::take(&mut reply.out))
                .map_err(|error| anyhow!(file_sentence(lang, "cli.error.write", &file, &error)))?;
        }
        _ => {}
    }
    Ok(reply)
}

/// A command as a request, its files read.
fn request(command: Command, lang: Lang) -> anyhow::Result<Request> {
    let read = |file: &PathBuf| -> anyhow::Result<String> {
        let from = if file == Path::new("-") { Path::new("/dev/stdin") } else { file };
        std::fs::read_to_string(from).map_err(|error| anyhow!(file_sentence(lang, "cli.error.file", file, &error)))
    };
    Ok(match command {
        Command::Check(None) => Request::CheckPlan { file: None, plan: None },
        Command::Check(Some(file)) => Request::CheckPlan { plan: Some(read(&file)?), file: Some(file.display().to_string()) },
        Command::Explain { from, to, at } => Request::Explain(Question { from, to, at }),
        Command::ImportExtensions(file) => Request::ImportExtensions(read(&file)?),
        Command::ListExtensions => Request::ListExtensions,
        Command::ImportPlan(file) => Request::ImportPlan { plan: read(&file)?, file: file.display().to_string() },
        Command::ExportPlan(_) => Request::ExportPlan,
        Command::CreateAdministrator(name) => Request::CreateAdministrator(name),
        Command::CreateToken(role) => Request::CreateToken(role),
        Command::Serve | Command::Version => return Err(anyhow!("not a request")),
    })
}

/// Carried out here while the house is closed, by the running house while it is open.
async fn asked(config: &Config, request: Request, lang: Lang) -> anyhow::Result<Reply> {
    // A plan can be checked where no house has been yet, and leaves no house behind.
    if let Request::CheckPlan { file, plan } = &request
        && !Desk::exists(config)
    {
        return Ok(command::check_alone(file.as_deref(), plan.as_deref(), lang));
    }
    match door(config, lang).await? {
        Door::Closed(_lock) => {
            let desk = Desk::open(config.clone()).await.map_err(|error| anyhow!(store_sentence(lang, &error)))?;
            let reply = carry_out(&desk, request, lang).await;
            desk.close().await;
            Ok(reply)
        }
        Door::Open(stream) => command::ask(stream, request, lang).await.map_err(|error| control_sentence(lang, &error)),
    }
}

/// The door of a house.
enum Door {
    /// Nobody is in; ours as long as the lock is held.
    Closed(Lock),
    /// A switchboard runs behind it.
    Open(UnixStream),
}

/// How long another command, or a switchboard that is starting, may take.
const DOOR_PATIENCE: Duration = Duration::from_secs(15);

/// Takes the lock, or reaches the switchboard that holds it. Another command that holds it is soon done.
async fn door(config: &Config, lang: Lang) -> anyhow::Result<Door> {
    let begun = Instant::now();
    loop {
        match Lock::take(&config.data_dir) {
            Ok(lock) => return Ok(Door::Closed(lock)),
            Err(LockError::Held) => {}
            Err(LockError::Directory(error)) => {
                let params = [("path", config.data_dir.display().to_string()), ("message", error.to_string())];
                return Err(anyhow!(text(lang, "cli.error.data_dir", &params)));
            }
        }
        match command::reach(&config.data_dir).await {
            Ok(stream) => return Ok(Door::Open(stream)),
            Err(error) if begun.elapsed() > DOOR_PATIENCE => return Err(control_sentence(lang, &error)),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn control_sentence(lang: Lang, error: &std::io::Error) -> anyhow::Error {
    anyhow!(text(lang, "cli.error.control", &[("message", error.to_string())]))
}

async fn serve(config: Config, lang: Lang) -> anyhow::Result<()> {
    telemetry::start();
    let path = config.data_dir.display().to_string();
    let Door::Closed(_lock) = door(&config, lang).await? else {
        return Err(anyhow!(text(lang, "cli.error.locked", &[("path", path)])));
    };
    let http = config.http.listen;
    let listener = TcpListener::bind(http).await.map_err(|error| {
        anyhow!(start_sentence(lang, &StartError::Port { address: http, what: "HTTP", variable: "PBX_HTTP", error }))
    })?;
    let desk = Desk::open(config).await.map_err(|error| anyhow!(store_sentence(lang, &error)))?;
    let opening = desk.opening(listener.local_addr()?).await.map_err(|error| anyhow!(store_sentence(lang, &error)))?;
    let mut running = start::open(opening).await.map_err(|error| anyhow!(start_sentence(lang, &error)))?;
    let listening = running.listening.clone();
    let live = Live {
        switch: running.switch.clone(),
        board: running.board.clone(),
        health: running.health.clone(),
        listening: listening.clone(),
        certificate: running.certificate.clone(),
    };
    let desk = desk.with_live(live);
    let control = command::serve_control(desk.clone())
        .map_err(|error| anyhow!(file_sentence(lang, "cli.error.write", &desk.data_dir().join(command::CONTROL_SOCKET), &error)))?;
    let web = web::serve(
        listener,
        running.https.take(),
        admin_web::router(desk.clone()),
        running.websockets.clone(),
        running.challenges.clone(),
    );
    let web = tokio::spawn(web);
    let params = [
        ("sip_udp", listening.sip_udp.to_string()),
        ("sip_tcp", listening.sip_tcp.to_string()),
        ("sip_tls", listening.sip_tls.map_or_else(|| text(lang, "cli.off", &[]), |address| address.to_string())),
        ("http", listening.http.to_string()),
        ("https", listening.https.map_or_else(|| text(lang, "cli.off", &[]), |address| format!("https://{address}"))),
    ];
    println!("{}", text(lang, "cli.ready", &params));
    match administrator::first_link(&desk).await {
        Ok(Some(link)) => println!("{}", text(lang, "cli.setup_link", &[("link", link)])),
        Ok(None) => {}
        Err(error) => eprintln!("{}", store_sentence(lang, &error)),
    }
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    running.announce()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("no new calls; the house closes when the last one has ended");
    // A second signal does not wait.
    tokio::select! {
        () = running.stop() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    control.abort();
    web.abort();
    let _ = std::fs::remove_file(desk.data_dir().join(command::CONTROL_SOCKET));
    Ok(())
}

fn start_sentence(lang: Lang, error: &StartError) -> String {
    match error {
        StartError::Port { address, what, variable, error } => {
            let params = [
                ("address", address.to_string()),
                ("what", (*what).to_owned()),
                ("message", error.to_string()),
                ("variable", (*variable).to_owned()),
            ];
            text(lang, "cli.error.port", &params)
        }
        StartError::Certificate(error) => match error {
            CertificateError::File(file, error) => file_sentence(lang, "cli.error.file", file, error),
            CertificateError::NoCertificate(file) => path_sentence(lang, "cli.error.certificate.none", file),
            CertificateError::NoKey(file) => path_sentence(lang, "cli.error.certificate.no_key", file),
            CertificateError::NotItsKey(file) => path_sentence(lang, "cli.error.certificate.other_key", file),
            CertificateError::Made(message) => text(lang, "cli.error.certificate.made", &[("message", message.clone())]),
        },
        StartError::Store(error) => database_sentence(lang, error.code(), &error.to_string()),
        other => text(lang, "cli.error.store", &[("message", other.to_string())]),
    }
}

fn path_sentence(lang: Lang, key: &str, path: &Path) -> String {
    text(lang, key, &[("file", path.display().to_string())])
}

fn store_sentence(lang: Lang, error: &pbx_core::api::Error) -> String {
    match error {
        pbx_core::api::Error::Store { code, message } => database_sentence(lang, code, message),
        other => text(lang, "cli.error.store", &[("message", command::sentences(other, lang))]),
    }
}

/// What is wrong, and in brackets what the database said, if it said anything.
fn database_sentence(lang: Lang, code: &str, message: &str) -> String {
    let sentence = text(lang, &format!("store.{code}"), &[]);
    let said = if message.is_empty() { sentence } else { format!("{sentence} ({message})") };
    text(lang, "cli.error.store", &[("message", said)])
}
