//! Log lines, to standard error. Above debug they hold no caller's number, no address, no body; at no level a secret.

use tracing_subscriber::EnvFilter;

/// Sets the log up; `PBX_LOG` chooses what is shown, as `info` or `pbx_core=debug`.
pub fn start() {
    let filter = EnvFilter::try_from_env("PBX_LOG").unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).try_init();
}
