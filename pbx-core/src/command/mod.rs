//! The command line. A command that changes or asks something is a [`Request`]: carried out here while the house is closed, and by the
//! running house, through its control socket, while it is open. So there is one writer.

mod arguments;
mod carry_out;
mod control;
mod lock;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Lang, text};
use crate::config::{Config, ConfigError, Fault};

pub use arguments::{Command, Parsed, Said, parse};
pub use carry_out::{carry_out, check_alone, sentences};
pub use control::{CONTROL_SOCKET, ask, reach, serve_control};
pub use lock::{Lock, LockError};

/// What a command asks of a desk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Where would this call go?
    Explain(crate::api::dialplan::Question),
    /// Create extensions from this list.
    ImportExtensions(String),
    /// Every extension.
    ListExtensions,
    /// Make this plan live.
    ImportPlan {
        /// Where it came from.
        file: String,
        /// TOML.
        plan: String,
    },
    /// The live plan.
    ExportPlan,
    /// Is this plan, or the live one, right?
    CheckPlan {
        /// Where it came from; the live one if absent.
        file: Option<String>,
        /// TOML.
        plan: Option<String>,
    },
    /// A link for an administrator.
    CreateAdministrator(String),
    /// A token for a program.
    CreateToken(String),
}

/// What a command prints, and how it ends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Reply {
    /// To standard output.
    pub out: String,
    /// To standard error.
    pub error: String,
    /// It succeeded.
    pub good: bool,
}

impl Reply {
    /// Success.
    pub fn good(out: impl Into<String>) -> Reply {
        Reply { out: out.into(), error: String::new(), good: true }
    }

    /// Failure.
    pub fn bad(error: impl Into<String>) -> Reply {
        Reply { out: String::new(), error: error.into(), good: false }
    }
}

/// A configuration's mistake in a sentence.
pub fn config_sentence(lang: Lang, error: &ConfigError) -> String {
    match error {
        ConfigError::Read(file, error) => file_sentence(lang, "cli.error.file", file, error),
        ConfigError::Wrong { file, line, fault } => {
            let params =
                [("file", file.display().to_string()), ("line", line.to_string()), ("message", fault_sentence(lang, fault))];
            text(lang, "cli.error.config", &params)
        }
        ConfigError::Variable { name, fault } => {
            text(lang, "cli.error.config_value", &[("name", (*name).to_owned()), ("message", fault_sentence(lang, fault))])
        }
    }
}

fn fault_sentence(lang: Lang, fault: &Fault) -> String {
    text(lang, &format!("config.{}", fault.code), &fault.params)
}

/// A file that cannot be read or written, in a sentence.
pub fn file_sentence(lang: Lang, key: &str, file: &Path, error: &std::io::Error) -> String {
    text(lang, key, &[("file", file.display().to_string()), ("message", error.to_string())])
}

/// The configuration of a command line.
pub fn configuration(parsed: &Parsed) -> Result<Config, ConfigError> {
    let mut config = Config::load(parsed.config.as_deref(), |name| std::env::var(name).ok())?;
    if let Some(data_dir) = &parsed.data_dir {
        config.data_dir.clone_from(data_dir);
    }
    Ok(config)
}
