//! `activator man`: the manual page. What commands, flags and settings are is said where they are declared; here is their
//! order, and what belongs to none of them.

use clap::{Arg, Command, CommandFactory};
use roff::{Inline, Roff, bold, italic, line_break, roman};

use super::output::print;
use super::{Cli, EXIT_CODES, Exit, setting_flags};
use crate::config::{Config, Setting, Settings};

const SUMMARY: &str = "reverse proxy that queues requests for services scaled to zero";

const SETTINGS: &str = "Each of these flags is also a setting of the configuration file, and a variable. A flag takes \
    precedence over a variable, a variable over the file, the file over the default. An empty variable counts as unset.";

const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "ACTIVATOR_CONFIG",
        "The configuration file, unless --config names one.",
    ),
    (
        "ACTIVATOR_...",
        "Each setting has a variable, see SETTINGS; a few are also set by a variable of Knative's.",
    ),
    (
        "METRICS_PROMETHEUS_HOST, METRICS_PROMETHEUS_PORT",
        "The address and the port of listen.admin, each alone; variables of Knative's.",
    ),
    (
        "LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES",
        "Sockets that a service manager hands over, named like the settings: http, http2, https, admin.",
    ),
    (
        "NOTIFY_SOCKET",
        "Where a service manager is told that the activator is ready, reloads or stops.",
    ),
    (
        "NO_COLOR, CLICOLOR_FORCE, CLICOLOR",
        "No colours if NO_COLOR is not empty; else colours everywhere with CLICOLOR_FORCE=1, nowhere with CLICOLOR=0, and \
         at a terminal without either.",
    ),
    (
        "SYSTEM_NAMESPACE",
        "In a pod with a service account: as with --kubernetes, if there is no configuration file.",
    ),
];

const FILES: &[(&str, &str)] = &[
    (
        "/etc/activator.toml",
        "The configuration, by convention: no file is read unless it is named.",
    ),
    (
        "/var/run/secrets/kubernetes.io/serviceaccount/token",
        "The token of the pod's service account, with --kubernetes.",
    ),
];

const SIGNALS: &[(&str, &str)] = &[
    (
        "SIGTERM, SIGINT",
        "Stop once the requests in flight have ended; a second one ends the process at once.",
    ),
    ("SIGHUP", "Read the configuration file again."),
];

pub(super) fn run() -> Result<(), Exit> {
    print(&page(Cli::command()))
}

fn page(mut activator: Command) -> String {
    activator.build();
    let mut page = Roff::new();
    let version = concat!("activator ", env!("CARGO_PKG_VERSION"));
    // Without a date: the page is the same whenever it is printed. An empty one would be left out.
    page.control("TH", ["ACTIVATOR", "1", " ", version, "User Commands"]);
    section(&mut page, "NAME");
    page.text([roman(format!("activator - {SUMMARY}"))]);
    section(&mut page, "SYNOPSIS");
    let commands = leaves(&activator);
    page.text([bold("activator"), roman(" [OPTIONS]")]);
    for command in &commands {
        page.control("br", []);
        page.text([roman(usage(command))]);
    }
    section(&mut page, "DESCRIPTION");
    let about = activator
        .get_long_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    page.text([roman(about)]);
    section(&mut page, "COMMANDS");
    for command in &commands {
        describe(&mut page, command);
    }
    section(&mut page, "SETTINGS");
    page.text([roman(SETTINGS)]);
    for setting in Config::settings() {
        describe_setting(&mut page, &setting);
    }
    terms(&mut page, "ENVIRONMENT", ENVIRONMENT);
    terms(&mut page, "FILES", FILES);
    terms(&mut page, "SIGNALS", SIGNALS);
    section(&mut page, "EXIT STATUS");
    for (code, meaning) in EXIT_CODES {
        term(&mut page, [bold(code.to_string())]);
        page.text([roman(format!("{meaning}."))]);
    }
    page.render()
}

/// The commands that do something, in the order of the help.
fn leaves(command: &Command) -> Vec<&Command> {
    let parts = command
        .get_subcommands()
        .filter(|it| it.get_name() != "help");
    let parts = parts.flat_map(|part| match leaves(part) {
        parts if parts.is_empty() => vec![part],
        parts => parts,
    });
    parts.collect()
}

/// As in `activator check [OPTIONS] [FILE]`.
fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage
        .strip_prefix("Usage: ")
        .unwrap_or(&usage)
        .trim()
        .to_owned()
}

fn describe(page: &mut Roff, command: &Command) {
    page.control("SS", [usage(command).as_str()]);
    if let Some(about) = command.get_about() {
        page.text([roman(format!("{about}."))]);
    }
    let (settings, own): (Vec<_>, Vec<_>) = command
        .get_arguments()
        .filter(|it| it.get_id() != "help")
        .partition(|it| it.get_help_heading() == Some(setting_flags::HEADING));
    for argument in own {
        describe_argument(page, argument);
    }
    if !settings.is_empty() {
        page.control("PP", []);
        page.text([roman("It takes the flags of SETTINGS as well.")]);
    }
    if let Some(examples) = command.get_after_help() {
        page.control("PP", []);
        page.control("nf", []);
        for line in examples.to_string().lines() {
            page.text([roman(line)]);
        }
        page.control("fi", []);
    }
}

fn describe_argument(page: &mut Roff, argument: &Arg) {
    let values = argument.get_value_names().unwrap_or_default();
    let values: Vec<_> = values.iter().map(ToString::to_string).collect();
    let takes_values = argument.get_action().takes_values();
    let values = values.join(" ");
    match argument.get_long() {
        Some(flag) if takes_values => {
            term(
                page,
                [bold(format!("--{flag}")), roman(" "), italic(values)],
            );
        }
        Some(flag) => term(page, [bold(format!("--{flag}"))]),
        None => term(page, [italic(values)]),
    }
    let help = argument.get_help().map(ToString::to_string);
    let mut text = vec![roman(format!("{}.", help.unwrap_or_default()))];
    let choices = argument.get_possible_values();
    if takes_values && !choices.is_empty() {
        let names: Vec<_> = choices.iter().map(|it| it.get_name().to_owned()).collect();
        text.push(roman(format!(" One of {}.", names.join(", "))));
    }
    page.text(text);
}

fn describe_setting(page: &mut Roff, setting: &Setting) {
    let flag = format!("--{}", setting.flag());
    term(page, [bold(flag), roman(" "), italic("VALUE")]);
    let variables: Vec<_> = setting.variables().collect();
    page.text([
        roman(setting_flags::help(setting)),
        line_break(),
        bold(setting.field),
        roman(" in the file, "),
        bold(variables.join(" or ")),
        roman(" in the environment"),
    ]);
}

fn section(page: &mut Roff, name: &str) {
    page.control("SH", [name]);
}

fn terms(page: &mut Roff, name: &str, entries: &[(&str, &str)]) {
    section(page, name);
    for (name, text) in entries {
        term(page, [bold(*name)]);
        page.text([roman(*text)]);
    }
}

/// Begins an entry: what it is about, before the text.
fn term<const N: usize>(page: &mut Roff, tag: [Inline; N]) {
    page.control("TP", []);
    page.text(tag);
}
