//! A PostgreSQL server for tests (Debian package `postgresql`): started by the first that asks, shared by all of a run, stopped soon
//! after the last has ended, however it ended. As root it runs as another user, for it refuses to be root's.
#![forbid(unsafe_code)]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// A server that is ours as long as this lives.
pub struct Server {
    folder: PathBuf,
    _in_use: File,
    _own: Option<TempDir>,
}

/// What keeps it.
const KEEP: &str = include_str!("keep.sh");

/// Starting it, on a busy machine of two cores.
const PATIENCE: Duration = Duration::from_secs(60);

impl Server {
    /// The one that all tests of this working copy share.
    pub fn shared() -> Server {
        let mut copy = DefaultHasher::new();
        env!("CARGO_MANIFEST_DIR").hash(&mut copy);
        let name = format!("pbx-tests-postgres-{}-{:x}", geteuid().as_raw(), copy.finish());
        Server::start(std::env::temp_dir().join(name), None)
    }

    /// One for a test that stops it.
    pub fn own() -> Server {
        let folder = TempDir::new().expect("a folder for PostgreSQL");
        Server::start(folder.path().join("postgres"), Some(folder))
    }

    fn start(folder: PathBuf, own: Option<TempDir>) -> Server {
        let user = other_user();
        if let (Some(own), Some(_)) = (&own, &user) {
            // The other user has to come through.
            fs::set_permissions(own.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).expect("our own folder");
        }
        let _in_use = wait_until("PostgreSQL lets us in", || {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
            let owner = fs::metadata(&folder).ok()?.uid();
            let ours = owner == geteuid().as_raw() || user.as_ref().is_some_and(|(uid, _)| owner == *uid);
            assert!(ours, "{} is somebody else's", folder.display());
            let in_use = locked(&folder.join("in_use"), FlockOperation::LockShared)?;
            let _gate = locked(&folder.join("gate"), FlockOperation::LockExclusive)?;
            if !is_ready(&folder) {
                let socket = folder.join("socket");
                DirBuilder::new().recursive(true).mode(0o700).create(&socket).ok()?;
                if let Some((uid, _)) = &user {
                    for path in [&folder, &socket] {
                        std::os::unix::fs::chown(path, Some(*uid), None).expect("root may");
                    }
                }
                keep(&folder, user.as_ref().map(|(_, name)| name.as_str()));
                wait_until("PostgreSQL has started", || is_ready(&folder).then_some(()));
            }
            Some(in_use)
        });
        Server { folder, _in_use, _own: own }
    }

    /// A new database's address.
    pub fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pbx_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let made = Command::new(programs().join("createdb"))
            .arg("-h")
            .arg(self.folder.join("socket"))
            .args(["-U", "postgres", &name])
            .output()
            .expect("createdb runs");
        assert!(made.status.success(), "createdb: {}", String::from_utf8_lossy(&made.stderr));
        format!("postgres://postgres@localhost/{name}?host={}", self.folder.join("socket").display())
    }

    /// It stands still in the middle of whatever it does.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// It goes on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// It stops, and every connection breaks off.
    pub fn halt(&self) {
        fs::write(self.folder.join("halt"), "").expect("our own folder");
        wait_until("PostgreSQL has stopped", || (!is_ready(&self.folder)).then_some(()));
    }

    /// It is there again.
    pub fn resume(&self) {
        fs::remove_file(self.folder.join("halt")).expect("it was stopped");
        wait_until("PostgreSQL has started", || is_ready(&self.folder).then_some(()));
    }

    /// The server, and every process of it.
    fn signal(&self, signal: Signal) {
        let text = fs::read_to_string(self.folder.join("server.pid")).expect("a server");
        let server: i32 = text.trim().parse().expect("a process");
        let children = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
            let process: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // After the name in brackets come the state and the parent.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<i32>().ok()?;
            (parent == server).then_some(process)
        });
        for process in std::iter::once(server).chain(children).filter_map(Pid::from_raw) {
            let _ = kill_process(process, signal);
        }
    }
}

impl Drop for Server {
    /// One that stands still could not be stopped.
    fn drop(&mut self) {
        if self._own.is_some() {
            self.thaw();
        }
    }
}

/// Opens and locks a file, unless it was swept away in the meantime.
fn locked(path: &Path, how: FlockOperation) -> Option<File> {
    let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path).ok()?;
    flock(&file, how).ok()?;
    let (here, there) = (file.metadata().ok()?, fs::metadata(path).ok()?);
    (here.ino() == there.ino()).then_some(file)
}

/// Starts what keeps the server, in a session of its own, so that it outlives the test that happened to be first.
fn keep(folder: &Path, user: Option<&str>) {
    let mut command = Command::new("setsid");
    command.args(["--fork", "sh", "-c", KEEP, "keep-postgres"]).arg(folder);
    if let Some(user) = user {
        command.args(["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]);
    }
    let started = command.env("PG", programs()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(started.is_ok_and(|status| status.success()), "setsid (Debian package util-linux) starts");
}

fn is_ready(folder: &Path) -> bool {
    let mut command = Command::new(programs().join("pg_isready"));
    let asked = command.arg("-q").arg("-h").arg(folder.join("socket")).stdin(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Where the newest server's programs are.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let found = versions.filter(|folder| folder.join("postgres").exists()).max();
    found.expect("PostgreSQL's programs (Debian package postgresql)")
}

/// Number and name of who runs the server when we are root.
fn other_user() -> Option<(u32, String)> {
    if !geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        Some((line.split(':').nth(2)?.parse().ok()?, name.to_owned()))
    };
    Some(number("postgres").or_else(|| number("nobody")).expect("an ordinary user"))
}

/// Looks until there is something to see.
fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
