//! Log lines, to standard error. Above debug they hold no caller's number, no address, no body; at no level a secret.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Sets the log up; `PBX_LOG` chooses what is shown, as `info` or `pbx_core=debug`.
pub fn start() {
    let filter = EnvFilter::try_from_env("PBX_LOG").unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    // A disk that is full may be the log's too: a line that cannot be written is lost, and ends nothing.
    let log = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    let _ = log.with_ansi(std::io::stderr().is_terminal()).try_init();
    std::panic::set_hook(Box::new(|fault| {
        let place = fault.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        tracing::error!(place, thread, "a fault of ours");
        // What it says may quote a message, and so a caller.
        let said = fault.payload_as_str().unwrap_or_default();
        tracing::debug!(said, "the fault's own words");
        let way = Backtrace::capture();
        if way.status() == BacktraceStatus::Captured {
            tracing::debug!("the way to the fault:\n{way}");
        }
    }));
}
