//! What an instance is told: its command, arguments and environment. Pure.
//!
//! All of it comes from the section of the revision; nothing of a request ever does.

use std::collections::BTreeMap;

use super::place::Reserved;
use crate::launcher::supervisor::order::{Surroundings, Task};
use crate::revision::launch::Start;

/// Where programs are looked for when the activator itself does not know.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What placeholders stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    port: Option<String>,
    socket: Option<String>,
    name: String,
    index: String,
}

impl Values {
    pub(super) fn new(reserved: &Reserved, name: &str, index: u32) -> Self {
        let socket = reserved.socket.as_ref();
        Self {
            port: reserved.port.map(|port| port.to_string()),
            socket: socket.map(|path| path.to_string_lossy().into_owned()),
            name: name.to_owned(),
            index: index.to_string(),
        }
    }

    /// Those of the first instance that are known before it is started.
    pub(super) fn first(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            index: "0".to_owned(),
            ..Self::default()
        }
    }

    /// Replaces `{port}`, `{socket}`, `{name}` and `{index}`. Whatever else is in braces stays as it is, and so does
    /// what a value contains.
    fn fill(&self, text: &str) -> String {
        let values = [
            ("{port}", self.port.as_deref()),
            ("{socket}", self.socket.as_deref()),
            ("{name}", Some(self.name.as_str())),
            ("{index}", Some(self.index.as_str())),
        ];
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            filled.push_str(before);
            let found = values
                .iter()
                .find_map(|(name, value)| Some((from.strip_prefix(name)?, (*value)?)));
            let (behind, value) = found.unwrap_or((&from[1..], "{"));
            filled.push_str(value);
            rest = behind;
        }
        filled + rest
    }

    /// The same in each text.
    pub(super) fn fill_all(&self, texts: &[String]) -> Vec<String> {
        texts.iter().map(|text| self.fill(text)).collect()
    }
}

/// What is started, and where it runs. `own` are variables of the activator itself.
pub(super) fn surroundings(
    start: &Start,
    values: &Values,
    own: impl Fn(&str) -> Option<String>,
) -> (Task, Surroundings) {
    let mut env = BTreeMap::new();
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            env.insert(name.to_owned(), value);
        }
    };
    set(
        "PATH",
        Some(own("PATH").unwrap_or_else(|| DEFAULT_PATH.to_owned())),
    );
    let (task, dir, user) = match start {
        Start::Process(process) => {
            let command = values.fill_all(&process.command);
            (
                Task::Process { command },
                process.dir.as_ref(),
                process.user.as_ref(),
            )
        }
        Start::Commands { start, stop } => {
            let (start, stop) = (values.fill_all(start), values.fill_all(stop));
            (Task::Commands { start, stop }, None, None)
        }
    };
    if user.is_none() {
        // Those of another user are known once that has been looked up.
        for name in ["HOME", "USER", "LOGNAME"] {
            set(name, own(name));
        }
    }
    if let Start::Process(process) = start {
        set("PORT", values.port.clone());
        set("SOCKET", values.socket.clone());
        for (name, value) in &process.env {
            set(name, Some(values.fill(value)));
        }
    }
    let surroundings = Surroundings {
        env,
        dir: dir.map(|dir| {
            dir.to_str()
                .map_or_else(|| dir.clone(), |dir| values.fill(dir).into())
        }),
        user: user.cloned(),
        ..Surroundings::default()
    };
    (task, surroundings)
}

/// What only the process itself has in its environment, beside what is passed to it: nothing else is to take that for its
/// own.
pub(super) fn set_passed(env: &mut BTreeMap<String, String>, reserved: &Reserved) {
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
    if reserved.listener.is_some() {
        // The number of the process is set by itself.
        set("LISTEN_FDS", "1".to_owned());
        set("LISTEN_FDNAMES", "http".to_owned());
    }
    if let Some(notify) = &reserved.notify {
        set("NOTIFY_SOCKET", notify.to_string_lossy().into_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::launch::{PortSpec, ProcessSpec};

    fn values() -> Values {
        Values {
            port: Some("8080".to_owned()),
            socket: None,
            name: "hello".to_owned(),
            index: "3".to_owned(),
        }
    }

    #[test]
    fn placeholders_are_replaced_and_nothing_else() {
        let check = |text: &str, expected: &str| assert_eq!(values().fill(text), expected);
        check("", "");
        check("--port={port}", "--port=8080");
        check("{name}-{index}:{port}{port}", "hello-3:80808080");
        check("{\"a\": {\"port\": {port}}}", "{\"a\": {\"port\": 8080}}");
        check("{{port}}", "{8080}");
        check("{Port} {port {} } {", "{Port} {port {} } {");
        // It has none.
        check("{socket}", "{socket}");
        check("ä{port}ö{", "ä8080ö{");
        // Values are not looked at again.
        let nested = Values {
            name: "{index}".to_owned(),
            ..values()
        };
        assert_eq!(nested.fill("{name}"), "{index}");
    }

    fn process(user: Option<&str>, env: &[(&str, &str)]) -> Start {
        let env = env
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        Start::Process(ProcessSpec {
            command: vec!["serve".into(), "{port}".into()],
            dir: Some("/srv/{name}".into()),
            env: env.collect(),
            user: user.map(Into::into),
            port: PortSpec::Auto,
        })
    }

    #[test]
    fn the_environment_is_what_is_given_and_little_more() {
        let own = |name: &str| match name {
            "PATH" => Some("/bin".to_owned()),
            "HOME" => Some("/root".to_owned()),
            "USER" => Some("root".to_owned()),
            "LOGNAME" => None,
            _ => panic!("{name} is none of its business"),
        };
        let check = |start: &Start, expected: &[(&str, &str)]| {
            let (task, surroundings) = surroundings(start, &values(), own);
            let command = vec!["serve".to_owned(), "8080".to_owned()];
            assert_eq!(task, Task::Process { command });
            assert_eq!(surroundings.dir.unwrap().to_str(), Some("/srv/hello"));
            let env: Vec<_> = surroundings
                .env
                .iter()
                .map(|(name, value)| (&**name, &**value))
                .collect();
            assert_eq!(env, expected);
        };
        check(
            &process(None, &[("A", "{index}"), ("HOME", "/srv")]),
            &[
                ("A", "3"),
                ("HOME", "/srv"),
                ("PATH", "/bin"),
                ("PORT", "8080"),
                ("USER", "root"),
            ],
        );
        check(
            &process(Some("nobody"), &[("PORT", "1")]),
            &[("PATH", "/bin"), ("PORT", "1")],
        );
    }

    #[test]
    fn programs_are_found_even_if_the_activator_has_no_path() {
        let start = Start::Commands {
            start: vec!["docker".into(), "start".into(), "{name}".into()],
            stop: vec![],
        };
        let (task, surroundings) = surroundings(&start, &values(), |_| None);
        let start = ["docker", "start", "hello"].map(Into::into).into();
        assert_eq!(
            task,
            Task::Commands {
                start,
                stop: vec![]
            }
        );
        let env: Vec<_> = surroundings.env.into_iter().collect();
        assert_eq!(env, [("PATH".to_owned(), DEFAULT_PATH.to_owned())]);
    }
}
