//! What may be typed. Its help is in the catalogue.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches};

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

/// Said instead of doing something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Help or the version, which was asked for.
    Help(String),
    /// What is wrong with the command line.
    Wrong(String),
}

/// Reads a command line.
pub fn parse(lang: Lang, arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, Said> {
    let matches = grammar(lang).try_get_matches_from(arguments).map_err(|error| said_of(&error, lang))?;
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    Ok(Parsed { config: path("config"), data_dir: path("data_dir"), command: command(&matches) })
}

/// What clap found, in the reader's language.
fn said_of(error: &clap::Error, lang: Lang) -> Said {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Said::Help(error.to_string()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return Said::Wrong(error.to_string()),
        _ => {}
    }
    let value = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(value)) => value.clone(),
        Some(ContextValue::Strings(values)) => values.join(", "),
        _ => String::new(),
    };
    let known = [value(ContextKind::ValidValue), value(ContextKind::ValidSubcommand)].concat();
    let (key, argument) = match error.kind() {
        ErrorKind::InvalidValue if !known.is_empty() => ("cli.wrong.values", value(ContextKind::InvalidArg)),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => ("cli.wrong.value", value(ContextKind::InvalidArg)),
        ErrorKind::UnknownArgument => ("cli.wrong.unknown", value(ContextKind::InvalidArg)),
        ErrorKind::InvalidSubcommand => ("cli.wrong.command", value(ContextKind::InvalidSubcommand)),
        ErrorKind::MissingRequiredArgument => ("cli.wrong.missing", value(ContextKind::InvalidArg)),
        ErrorKind::MissingSubcommand => ("cli.wrong.missing_command", String::new()),
        ErrorKind::ArgumentConflict => ("cli.wrong.twice", value(ContextKind::InvalidArg)),
        _ => ("cli.wrong.other", String::new()),
    };
    let wrong = text(lang, key, &[("argument", argument), ("value", value(ContextKind::InvalidValue)), ("known", known)]);
    Said::Wrong(format!("{wrong}\n{}\n", text(lang, "cli.wrong.more", &[("command", "pbx".to_owned())])))
}

fn grammar(lang: Lang) -> clap::Command {
    let said = |key: &str| text(lang, key, &[]);
    let sub = |name: &'static str, key: &str| clap::Command::new(name).about(said(key));
    let arg = |name: &'static str| Arg::new(name).help(said(&format!("cli.arg.{name}")));
    let file = || arg("file").value_name("FILE").value_parser(clap::value_parser!(PathBuf));
    let path = |name: &'static str, long: &'static str| {
        arg(name).long(long).value_name("PATH").value_parser(clap::value_parser!(PathBuf)).global(true)
    };
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version).help(said("cli.help.version"));
    let grammar = clap::Command::new("pbx")
        .about(said("cli.pbx"))
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .arg(version)
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
        .subcommand(sub("version", "cli.version"));
    dressed(grammar, lang)
}

/// Puts our words in the place of clap's English ones, in this command and those below it.
fn dressed(command: clap::Command, lang: Lang) -> clap::Command {
    let heading = |key: &str| text(lang, &format!("cli.help.{key}"), &[]);
    let mut template = format!("{{about-with-newline}}\n{}: {{usage}}\n\n", heading("usage"));
    if command.has_subcommands() {
        template.push_str(&format!("{}:\n{{subcommands}}\n\n", heading("commands")));
    }
    if command.get_positionals().next().is_some() {
        template.push_str(&format!("{}:\n{{positionals}}\n\n", heading("arguments")));
    }
    template.push_str(&format!("{}:\n{{options}}\n", heading("options")));
    command
        .disable_help_subcommand(true)
        .disable_help_flag(true)
        .arg(Arg::new("help").short('h').long("help").action(ArgAction::Help).help(heading("help")))
        .help_template(template)
        .mut_subcommands(|below| dressed(below, lang))
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
        let read = |line: &str| parse(Lang::En, line.split(' ').map(OsString::from)).unwrap();
        assert_eq!(read("pbx serve --data-dir /d").data_dir, Some(PathBuf::from("/d")));
        let explain = Command::Explain { from: "201".into(), to: "112".into(), at: None };
        assert_eq!(read("pbx explain --from 201 --to 112").command, explain);
        assert_eq!(read("pbx token create --role read").command, Command::CreateToken("read".into()));
    }

    #[test]
    fn what_is_wrong_and_help_are_said_in_the_readers_language() {
        let said = |line: &str| parse(Lang::Fr, line.split(' ').map(OsString::from)).unwrap_err();
        for (line, words) in [
            ("pbx token create --role boss", "admin, read"),
            ("pbx token create", "--role"),
            ("pbx serve --hurry", "--hurry"),
            ("pbx dance", "dance"),
            ("pbx extensions", "import"),
        ] {
            let Said::Wrong(text) = said(line) else { panic!("{line} is wrong") };
            assert!(text.contains(words), "{line}: {text}");
            assert!(!text.contains("error") && !text.contains("Usage:"), "{line}: {text}");
        }
        for line in ["pbx --help", "pbx check --help", "pbx extensions --help", "pbx explain -h"] {
            let Said::Help(text) = said(line) else { panic!("{line} asks for help") };
            assert!(text.contains("Utilisation"), "{text}");
            assert!(!text.contains("Usage") && !text.contains("Print"), "{text}");
        }
    }
}
