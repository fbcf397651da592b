//! A real browser, driven by a script beside this file that says a word a line and is told some.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::house::{repository, wait_until};

/// How long a script may say nothing of what is waited for: a browser that starts on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(90);

/// One script, and its browser.
pub struct Chromium {
    child: Child,
    lines: Receiver<String>,
    input: ChildStdin,
}

impl Chromium {
    /// Starts `tests/blackbox/SCRIPT` with that environment; `PLAYWRIGHT` and the modules of the front end are there for all.
    pub fn start(script: &str, environment: &[(&str, &str)]) -> Chromium {
        let ui = repository().join("admin-web/ui");
        let node = Command::new(repository().join("scripts/node")).output().expect("scripts/node").stdout;
        let mut child = Command::new(format!("{}/node", String::from_utf8_lossy(&node).trim()))
            .arg(repository().join("tests/blackbox").join(script))
            .current_dir(&ui)
            .env("PLAYWRIGHT", ui.join("node_modules/playwright-core/index.mjs"))
            .env("MODULES", ui.join("node_modules"))
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("node starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let input = child.stdin.take().expect("its input");
        let (tell, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Chromium { child, lines, input }
    }

    /// Waits until it says that; what stands behind it.
    pub fn says(&mut self, what: &str) -> String {
        loop {
            let line = match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => panic!("the browser says nothing of {what}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the browser ended before {what}"),
            };
            if let Some(value) = line.strip_prefix(what) {
                return value.trim().to_owned();
            }
            println!("browser: {line}");
        }
    }

    /// Tells it.
    pub fn hears(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the browser listens");
    }

    /// Tells it that nothing more is wanted, and waits for its end, which must be a good one.
    pub fn ends(mut self) {
        self.hears("done");
        let status = wait_until("the browser ends", || self.child.try_wait().expect("a child"));
        assert!(status.success(), "the browser ended with {status}");
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
