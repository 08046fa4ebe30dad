//! Events as text, and actions.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

use super::super::*;
use crate::revision::LaunchSpec;
use crate::revision::launch::{
    BusyCheck, GroupSpec, IdleAction, InstanceLog, PortSpec, ProcessSpec, Start,
};

/// The key of the revision of this name.
pub(super) fn key(name: &str) -> RevisionKey {
    RevisionKey::try_new("default", name).unwrap()
}

/// Seconds, like `1.5`.
pub(super) fn seconds(text: &str) -> Duration {
    let seconds = text.parse();
    Duration::from_secs_f64(seconds.unwrap_or_else(|_| panic!("not seconds: {text:?}")))
}

/// A specification, like `max=3 window=10`. What is not said is small.
pub(super) fn spec<'a>(settings: impl IntoIterator<Item = &'a str>) -> LaunchSpec {
    let process = ProcessSpec::new(vec!["one".to_owned()]);
    let mut spec = LaunchSpec {
        start_timeout: seconds("30"),
        ..LaunchSpec::new(Start::Process(process), 1)
    };
    spec.scale.stable_window = Duration::ZERO;
    for setting in settings {
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        match name {
            "max" => spec.scale.max_scale = value.parse().unwrap(),
            "min" => spec.scale.min_scale = value.parse().unwrap(),
            "window" => spec.scale.stable_window = seconds(value),
            "min_uptime" => spec.min_uptime = seconds(value),
            "freeze_for" => {
                let freeze_for = seconds(value);
                spec.idle_action = IdleAction::Freeze { freeze_for };
            }
            "busy_check" => spec.busy_check = Some(BusyCheck::Http("/busy".to_owned())),
            "max_restarts" => spec.restarts.max_restarts = value.parse().unwrap(),
            "command" => {
                if let Start::Process(process) = &mut spec.start {
                    process.command = vec![value.to_owned()];
                }
            }
            "port" => {
                if let Start::Process(process) = &mut spec.start {
                    process.port = PortSpec::Fixed(value.parse().unwrap());
                }
            }
            "start_command" => {
                spec.start = Start::Commands {
                    start: vec![value.to_owned()],
                    stop: Vec::new(),
                };
            }
            "log" => spec.log = InstanceLog::Off,
            "group" => {
                let parts: Vec<_> = value.split(',').collect();
                spec.group = Some(Arc::new(GroupSpec {
                    name: parts[0].to_owned(),
                    capacity: parts[1].parse().unwrap(),
                    max_wait: seconds(parts[2]),
                }));
            }
            _ => panic!("not a setting: {setting:?}"),
        }
    }
    spec
}

/// What a scene has started, so that it can say `a/0`.
#[derive(Default)]
pub(super) struct Names(Vec<(String, InstanceId)>);

impl Names {
    /// The last instance of this name, or, like `#3`, the one of this number.
    fn id(&self, name: &str) -> InstanceId {
        if let Some(number) = name.strip_prefix('#') {
            return InstanceId(number.parse().unwrap());
        }
        let found = self.0.iter().rev().find(|(it, _)| it == name);
        let (_, id) = found.unwrap_or_else(|| panic!("no instance {name}"));
        *id
    }

    fn name(&self, id: InstanceId) -> &str {
        let found = self.0.iter().find(|(_, it)| *it == id);
        found.map_or("?", |(name, _)| name)
    }

    /// An event, like `ready a/0`. How the words of each are read is below.
    pub(super) fn event(&self, text: &str) -> Event {
        let words: Vec<_> = text.split_whitespace().collect();
        let (first, rest) = words.split_first().unwrap();
        let of = |at: usize| key(rest[at]);
        let id = |at: usize| self.id(rest[at]);
        let yes = |at: usize| rest[at] == "yes";
        let number = |at: usize| rest[at].parse().unwrap();
        match *first {
            "spec" => {
                let settings = rest[1..].iter().copied();
                Event::Specified(of(0), Arc::new(spec(settings)))
            }
            "removed" => Event::Removed(of(0)),
            "wanted" => Event::Wanted(of(0), number(1)),
            "min_scale" => Event::MinScale(of(0), number(1), StartCause::MinScale),
            "schedule" => Event::MinScale(of(0), number(1), StartCause::Schedule),
            "demand" => Event::Demand(of(0)),
            "in_use" => Event::InUse(of(0), yes(1)),
            "ready" => Event::Ready(id(0)),
            "ended" => {
                let how = rest[1..].join(" ");
                Event::Ended(id(0), Ended { how })
            }
            "drained" => Event::Drained(id(0), rest.get(1).map_or(1, |it| it.parse().unwrap())),
            "busy" => Event::Busy(id(0), yes(1)),
            "wake" => Event::Wake(of(0), seconds(rest[1])),
            "sleep" => Event::Sleep(of(0)),
            "shutdown" => Event::Shutdown,
            "tick" => Event::Tick,
            _ => panic!("not an event: {text:?}"),
        }
    }

    /// An action, like `admit a/0`.
    pub(super) fn action(&mut self, action: &Action) -> String {
        match action {
            Action::Start { id, key, index, .. } => {
                let name = format!("{}/{index}", key.name());
                self.0.push((name.clone(), *id));
                format!("start {name}")
            }
            Action::Admit(id) => format!("admit {}", self.name(*id)),
            Action::Withdraw(id, 1) => format!("withdraw {}", self.name(*id)),
            Action::Withdraw(id, number) => format!("withdraw {} {number}", self.name(*id)),
            Action::Freeze(id) => format!("freeze {}", self.name(*id)),
            Action::Thaw(id) => format!("thaw {}", self.name(*id)),
            Action::AskBusy(id) => format!("ask_busy {}", self.name(*id)),
            Action::Stop(id) => format!("stop {}", self.name(*id)),
            Action::Kill(id) => format!("kill {}", self.name(*id)),
            Action::Fail { key, until, why } => {
                format!("fail {} until {}: {why}", key.name(), until.as_secs_f64())
            }
            Action::Recover(key) => format!("recover {}", key.name()),
            Action::Changed {
                id,
                from,
                to,
                cause,
                after,
                note,
                ..
            } => {
                let state = |state: &Option<State>| match state {
                    Some(state) => format!("{state:?}").to_lowercase(),
                    None => "-".to_owned(),
                };
                let cause = match cause {
                    Cause::Start(cause) => format!("{cause:?}"),
                    Cause::Stop(cause) => format!("{cause:?}"),
                };
                let (name, after) = (self.name(*id), after.as_secs_f64());
                let change = format!("{name} {} -> {}: {cause} {after}", state(from), state(to));
                match note.as_str() {
                    "" => change,
                    note => format!("{change} ({note})"),
                }
            }
        }
    }
}
