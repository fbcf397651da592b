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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn a_request_is_carried_out_by_the_running_house() {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk::open(Config { data_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap();
        assert!(reach(folder.path()).await.is_err(), "nobody is in");
        // As one that was killed leaves it.
        std::fs::write(folder.path().join(CONTROL_SOCKET), "").unwrap();
        let serving = serve_control(desk).unwrap();
        let mode = std::fs::metadata(folder.path().join(CONTROL_SOCKET)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let asked = async |request| ask(reach(folder.path()).await.unwrap(), request, Lang::En).await.unwrap();
        let csv = "number,name,secret,email\n201,Ana,a secret,\n".to_owned();
        let imported = asked(Request::ImportExtensions(csv.clone())).await;
        assert!(imported.good && !imported.out.contains("a secret"), "{imported:?}");
        let again = asked(Request::ImportExtensions(csv)).await;
        assert!(!again.good && again.error.contains("line 2"), "{again:?}");
        assert!(asked(Request::ListExtensions).await.out.contains("201"));
        let token = asked(Request::CreateToken("read".to_owned())).await.out;
        assert_eq!(token.lines().count(), 1, "the token alone");

        let mut stranger = reach(folder.path()).await.unwrap();
        stranger.write_all(b"{\"request\": 7}").await.unwrap();
        stranger.shutdown().await.unwrap();
        let mut reply = Vec::new();
        stranger.read_to_end(&mut reply).await.unwrap();
        assert!(!serde_json::from_slice::<Reply>(&reply).unwrap().good);
        serving.abort();
    }
}
