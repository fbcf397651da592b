//! What may be typed. Its help is in the catalogue.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgMatches};

use crate::catalogue::{Lang, text};

/// A command line that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// What to do.
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `serve`
    Serve,
    /// `check [FILE]`
    Check(Option<PathBuf>),
    /// `explain --from --to --at`
    Explain {
        /// Who calls.
        from: String,
        /// What is dialled.
        to: String,
        /// When.
        at: Option<String>,
    },
    /// `extensions import FILE`
    ImportExtensions(PathBuf),
    /// `extensions list`
    ListExtensions,
    /// `dialplan import FILE`
    ImportPlan(PathBuf),
    /// `dialplan export FILE`
    ExportPlan(PathBuf),
    /// `admin create NAME`
    CreateAdministrator(String),
    /// `token create --role`
    CreateToken(String),
    /// `version`
    Version,
}

/// Reads a command line; prints help or what is wrong with it, and ends, as clap does.
pub fn parse(lang: Lang, arguments: impl IntoIterator<Item = OsString>) -> Parsed {
    let matches = grammar(lang).get_matches_from(arguments);
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    Parsed { config: path("config"), data_dir: path("data_dir"), command: command(&matches) }
}

fn grammar(lang: Lang) -> clap::Command {
    let said = |key: &str| text(lang, key, &[]);
    let sub = |name: &'static str, key: &str| clap::Command::new(name).about(said(key));
    let arg = |name: &'static str| Arg::new(name).help(said(&format!("cli.arg.{name}")));
    let file = || arg("file").value_name("FILE").value_parser(clap::value_parser!(PathBuf));
    let path = |name: &'static str, long: &'static str| {
        arg(name).long(long).value_name("PATH").value_parser(clap::value_parser!(PathBuf)).global(true)
    };
    clap::Command::new("pbx")
        .about(said("cli.pbx"))
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(path("config", "config"))
        .arg(path("data_dir", "data-dir"))
        .subcommand(sub("serve", "cli.serve"))
        .subcommand(sub("check", "cli.check").arg(file()))
        .subcommand(
            sub("explain", "cli.explain")
                .arg(arg("from").long("from").required(true))
                .arg(arg("to").long("to").required(true))
                .arg(arg("at").long("at")),
        )
        .subcommand(
            sub("extensions", "cli.extensions")
                .subcommand_required(true)
                .subcommand(sub("import", "cli.extensions.import").arg(file().required(true)))
                .subcommand(sub("list", "cli.extensions.list")),
        )
        .subcommand(
            sub("dialplan", "cli.dialplan")
                .subcommand_required(true)
                .subcommand(sub("import", "cli.dialplan.import").arg(file().required(true)))
                .subcommand(sub("export", "cli.dialplan.export").arg(file().required(true))),
        )
        .subcommand(
            sub("admin", "cli.admin")
                .subcommand_required(true)
                .subcommand(sub("create", "cli.admin.create").arg(arg("name").required(true))),
        )
        .subcommand(sub("token", "cli.token").subcommand_required(true).subcommand(
            sub("create", "cli.token.create").arg(arg("role").long("role").required(true).value_parser(["admin", "read"])),
        ))
        .subcommand(sub("version", "cli.version"))
}

fn command(matches: &ArgMatches) -> Command {
    let file = |matches: &ArgMatches| matches.get_one::<PathBuf>("file").cloned();
    let word = |matches: &ArgMatches, name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let (name, inner) = matches.subcommand().unwrap_or(("version", matches));
    match (name, inner.subcommand()) {
        ("serve", _) => Command::Serve,
        ("check", _) => Command::Check(file(inner)),
        ("explain", _) => {
            Command::Explain { from: word(inner, "from"), to: word(inner, "to"), at: inner.get_one::<String>("at").cloned() }
        }
        ("extensions", Some(("import", inner))) => Command::ImportExtensions(file(inner).unwrap_or_default()),
        ("extensions", _) => Command::ListExtensions,
        ("dialplan", Some(("import", inner))) => Command::ImportPlan(file(inner).unwrap_or_default()),
        ("dialplan", Some((_, inner))) => Command::ExportPlan(file(inner).unwrap_or_default()),
        ("admin", Some((_, inner))) => Command::CreateAdministrator(word(inner, "name")),
        ("token", Some((_, inner))) => Command::CreateToken(word(inner, "role")),
        _ => Command::Version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_sound_and_every_help_is_in_the_catalogue() {
        for lang in [Lang::Fr, Lang::En] {
            grammar(lang).debug_assert();
            let help = grammar(lang).render_long_help().to_string();
            assert!(!help.contains("cli."), "{help}");
        }
    }

    #[test]
    fn commands_are_read() {
        let read = |line: &str| parse(Lang::En, line.split(' ').map(OsString::from));
        assert_eq!(read("pbx serve --data-dir /d").data_dir, Some(PathBuf::from("/d")));
        let explain = Command::Explain { from: "201".into(), to: "112".into(), at: None };
        assert_eq!(read("pbx explain --from 201 --to 112").command, explain);
        assert_eq!(read("pbx token create --role read").command, Command::CreateToken("read".into()));
    }
}
