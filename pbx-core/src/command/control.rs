//! The control socket of a running house: one request and its reply on a connection, each a line of JSON. Its file is its owner's alone.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::api::Desk;
use crate::catalogue::Lang;
use crate::command::{Reply, Request, carry_out};

/// Octets of one request; a list of extensions is the largest.
const MAX_REQUEST: u64 = 8_000_000;

/// How long a request and its carrying out may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
struct Asked {
    lang: Lang,
    request: Request,
}

/// Serves requests until the house closes.
pub fn serve_control(desk: Desk) -> io::Result<tokio::task::JoinHandle<()>> {
    let path = desk.data_dir().join(CONTROL_SOCKET);
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let desk = desk.clone();
                    tokio::spawn(async move { tokio::time::timeout(PATIENCE, answer(desk, stream)).await });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }))
}

async fn answer(desk: Desk, mut stream: UnixStream) -> io::Result<()> {
    let mut asked = Vec::new();
    (&mut stream).take(MAX_REQUEST).read_to_end(&mut asked).await?;
    let reply = match serde_json::from_slice::<Asked>(&asked) {
        Ok(asked) => carry_out(&desk, asked.request, asked.lang).await,
        Err(error) => Reply::bad(format!("{error}\n")),
    };
    stream.write_all(&serde_json::to_vec(&reply).unwrap_or_default()).await?;
    stream.shutdown().await
}

/// Its name in the data directory.
pub const CONTROL_SOCKET: &str = "control.sock";

/// Reaches the running house of a data directory.
pub async fn reach(data_dir: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(data_dir.join(CONTROL_SOCKET)).await
}

/// Asks it.
pub async fn ask(mut stream: UnixStream, request: Request, lang: Lang) -> io::Result<Reply> {
    stream.write_all(&serde_json::to_vec(&Asked { lang, request })?).await?;
    stream.shutdown().await?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await?;
    Ok(serde_json::from_slice(&reply)?)
}
