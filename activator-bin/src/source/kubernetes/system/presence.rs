//! Which objects are there, as far as lists and watches have told. Pure.

use std::collections::BTreeSet;
use std::mem;

use crate::source::kubernetes::model::Event;
use crate::source::kubernetes::object::Object;

/// Of an object that is there or not, when that is known.
#[derive(Default)]
pub(super) struct One {
    is_listed: bool,
    is_known: bool,
}

impl One {
    pub(super) fn on_event<T>(&mut self, event: Event<T>) -> Option<Option<T>> {
        match event {
            Event::ListBegins => {
                self.is_listed = false;
                None
            }
            Event::Put(object) => {
                (self.is_listed, self.is_known) = (true, true);
                Some(Some(object))
            }
            Event::ListEnds if self.is_listed => None,
            Event::Deleted(_) | Event::ListEnds => {
                self.is_known = true;
                Some(None)
            }
        }
    }

    /// It may not be read. What was read before still counts.
    pub(super) fn on_refused<T>(&mut self) -> Option<Option<T>> {
        (!mem::replace(&mut self.is_known, true)).then_some(None)
    }
}

/// The names of objects that are there.
#[derive(Default)]
pub(super) struct Names {
    all: BTreeSet<String>,
    /// Those that were there before the list that has begun, and were not in it so far.
    missing: BTreeSet<String>,
}

impl Names {
    /// Returns the names of those that turn out to be gone.
    pub(super) fn on_event<T: Object>(&mut self, event: &Event<T>) -> Vec<String> {
        match event {
            Event::ListBegins => {
                self.missing = self.all.clone();
                Vec::new()
            }
            Event::Put(object) => {
                self.missing.remove(object.name());
                self.all.insert(object.name().to_owned());
                Vec::new()
            }
            Event::Deleted(object) => {
                self.missing.remove(object.name());
                Vec::from_iter(self.all.take(object.name()))
            }
            Event::ListEnds => {
                let gone = mem::take(&mut self.missing);
                self.all.retain(|it| !gone.contains(it));
                Vec::from_iter(gone)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::kubernetes::object::Service;

    /// What comes of a history: `[` a list begins, `]` it ends, `+a` is there, `-a` is gone, `!` it may not be read.
    fn events(history: &str) -> Vec<Option<Event<Service>>> {
        let service = |name: &str| {
            let metadata = serde_json::json!({"metadata": {"name": name}});
            serde_json::from_value(metadata).unwrap()
        };
        let event = |word: &str| match word.split_at(1) {
            ("[", _) => Some(Event::ListBegins),
            ("]", _) => Some(Event::ListEnds),
            ("+", name) => Some(Event::Put(service(name))),
            ("-", name) => Some(Event::Deleted(service(name))),
            _ => None,
        };
        history.split_whitespace().map(event).collect()
    }

    #[test]
    fn one_object_is_there_or_not_once_that_is_known() {
        let check = |history: &str, expected: &str| {
            let mut one = One::default();
            let states = events(history).into_iter().filter_map(|event| match event {
                Some(event) => one.on_event(event),
                None => one.on_refused(),
            });
            let states = states.map(|it| if it.is_some() { "+" } else { "-" });
            assert_eq!(states.collect::<String>(), expected, "{history}");
        };
        check("", "");
        check("[", "");
        check("[ ]", "-");
        check("[ +a ]", "+");
        check("[ +a ] +a -a +a", "++-+");
        check("[ +a ] [ ]", "+-");
        check("[ [ +a [ +a ]", "++");
        // While it may not be read it is as it was.
        check("! ! [ +a ]", "-+");
        check("[ +a ] ! !", "+");
        check("[ ] !", "-");
    }

    #[test]
    fn objects_are_gone_when_a_list_does_not_have_them() {
        let check = |history: &str, expected: &str| {
            let mut names = Names::default();
            let mut gone = Vec::new();
            for event in events(history).into_iter().flatten() {
                gone.extend(names.on_event(&event));
            }
            assert_eq!(gone.join(" "), expected, "{history}");
        };
        check("[ +a +b ]", "");
        check("[ +a +b ] -a -a -c", "a");
        check("[ +a +b ] +c [ +b ]", "a c");
        check("[ +a +b ] [ +b ] [ ]", "a b");
        // A list that did not end says nothing.
        check("[ +a +b ] [ +b [ +a +b ]", "");
        check("[ +a ] [ +b [ ]", "a b");
    }
}
