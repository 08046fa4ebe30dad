//! `activator config default`: a file to begin with.

use std::fmt::Write;

use super::layout::in_order;
use super::{Exit, print};
use crate::config::{Config, Default, Settings, embedded_text, spelled};

/// Arguments of `config default`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {}

const EXAMPLES: &str = "Examples:
  activator config default > /etc/activator.toml
  activator config default | activator check /dev/stdin";

const HEAD: &str = "\
# The configuration that activator runs with when it has no file. A line behind # says what is in effect anyway: remove the
# # to change it. What is wrong with the file: activator check FILE. All that can be in it: activator man.
";

/// The longest line of a comment, without its beginning.
const WIDTH: usize = 120;

pub(super) fn run(_: &Arguments) -> Result<(), Exit> {
    print(&text())
}

fn text() -> String {
    let mut text = HEAD.to_owned();
    for (place, setting) in in_order(&Config::settings(), |it| it) {
        if let Some(section) = place.begins {
            line(&mut text, format_args!("\n[{section}]"));
        }
        let (found, value) = match setting.default {
            Default::Is(value) => {
                let value = spelled(setting.field, value).to_string();
                (String::new(), format!(" {value}"))
            }
            Default::Found(what) => (format!(". Default: {what}"), String::new()),
            Default::Unset | Default::Required => (String::new(), String::new()),
        };
        line(&mut text, format_args!(""));
        comment(&mut text, &format!("{}{found}.", setting.help));
        line(&mut text, format_args!("#{} ={value}", place.name));
    }
    let lists = "\n# Where reports go, and what is served.\n";
    line(&mut text, format_args!("{lists}"));
    text + &embedded_text()
}

/// Writes a comment of as many lines as it takes.
fn comment(text: &mut String, words: &str) {
    let mut current = String::new();
    for word in words.split_whitespace() {
        if !current.is_empty() && current.len() + word.len() >= WIDTH {
            line(text, format_args!("#{current}"));
            current.clear();
        }
        current.push(' ');
        current.push_str(word);
    }
    line(text, format_args!("#{current}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes any text");
}
