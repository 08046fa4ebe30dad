//! Where the admin port of a running activator is, for those who ask it: only what decides that has to be valid.

use std::net::SocketAddr;

use super::Sources;
use super::file::Locations;
use super::pieces::Pieces;
use super::problem::{Location, Problem, Problems};
use crate::os::regular_file;

/// The setting.
const FIELD: &str = "listen.admin";

impl Sources {
    /// `listen.admin`, as an activator with these sources has it. The file is not read if a flag or a variable says it, and
    /// what else is wrong anywhere does not matter: an activator that runs keeps its last good configuration.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub(crate) fn admin_address(&self) -> Result<SocketAddr, Problems> {
        let mut locations = Locations::new();
        let mut problems = Problems::default();
        let (config, _) = self.read(None, &mut locations, &mut problems);
        // A variable of Knative's says only a part.
        let is_whole = match locations.get(FIELD) {
            Some(Location::Variable(name)) => name.starts_with("ACTIVATOR_"),
            location => location.is_some(),
        };
        let Some(path) = self.file.as_deref().filter(|_| !is_whole) else {
            return problems.about(|it| decides(it, &locations), config.listen.admin);
        };
        let bytes = regular_file::read(path);
        let bytes = bytes.map_err(|why| Problems::of_file(path, why.to_string()))?;
        let without_revisions = str::from_utf8(&bytes).ok().and_then(Pieces::of);
        let text = without_revisions
            .as_ref()
            .map_or(&*bytes, |pieces| pieces.rest.as_bytes());
        let file = Some((&*path.to_string_lossy(), text));
        let mut problems = Problems::default();
        let (config, _) = self.read(file, &mut locations, &mut problems);
        problems.about(|it| decides(it, &locations), config.listen.admin)
    }
}

/// Whether a problem leaves it open where the admin port is.
fn decides(problem: &Problem, locations: &Locations) -> bool {
    match locations.get(FIELD) {
        Some(location) => problem.location == *location,
        // The whole file, or the section.
        None => {
            let is_in_file = matches!(problem.location, Location::File { .. });
            is_in_file && ["", "listen"].contains(&&*problem.field)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn address(file: Option<&str>, variable: &str, flag: Option<&str>) -> Result<String, String> {
        static LAST: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = LAST.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("admin-{}-{number}", std::process::id()));
        if let Some(text) = file {
            std::fs::write(&path, text).unwrap();
        }
        let sources = Sources {
            file: file.map(|_| PathBuf::from(&path)),
            variables: [("ACTIVATOR_LISTEN_ADMIN".into(), variable.into())].into(),
            flags: flag.map(|it| (FIELD, it.to_owned())).into_iter().collect(),
            ..Sources::default()
        };
        let address = sources.admin_address();
        let _ = std::fs::remove_file(&path);
        let name = path.to_string_lossy().into_owned();
        address
            .map(|it| it.to_string())
            .map_err(|problems| problems.to_string().replace(&name, "f"))
    }

    #[track_caller]
    fn check(file: Option<&str>, variable: &str, flag: Option<&str>, expected: Result<&str, &str>) {
        let found = address(file, variable, flag);
        assert_eq!(found.as_deref().map_err(String::as_str), expected);
    }

    const FILE: &str =
        "[listen]\nadmin = '127.0.0.2:1'\n[[revision]]\nnamespace = 'a'\nname = 'b'\n";

    #[test]
    fn it_is_that_of_the_source_with_precedence() {
        check(None, "", None, Ok("127.0.0.1:9090"));
        check(Some("workers = 2"), "", None, Ok("127.0.0.1:9090"));
        check(Some(FILE), "", None, Ok("127.0.0.2:1"));
        check(Some(FILE), "127.0.0.3:1", None, Ok("127.0.0.3:1"));
        check(
            Some(FILE),
            "127.0.0.3:1",
            Some("127.0.0.4:1"),
            Ok("127.0.0.4:1"),
        );
    }

    #[test]
    fn a_variable_of_knatives_changes_a_part_of_it() {
        let sources = Sources {
            variables: [("METRICS_PROMETHEUS_PORT".into(), "9".into())].into(),
            ..Sources::default()
        };
        let address = sources.admin_address();
        assert_eq!(
            address.map(|it| it.to_string()),
            Ok("127.0.0.1:9".to_owned())
        );
    }

    #[test]
    fn what_does_not_decide_it_may_be_wrong() {
        check(
            Some("workers = 'many'\nlisten.admin = '127.0.0.2:1'\nlisten.http = 1"),
            "",
            None,
            Ok("127.0.0.2:1"),
        );
        check(
            Some("= a syntax error ="),
            "127.0.0.3:1",
            None,
            Ok("127.0.0.3:1"),
        );
        check(
            Some("listen = 1"),
            "x",
            Some("127.0.0.4:1"),
            Ok("127.0.0.4:1"),
        );
    }

    #[test]
    fn what_decides_it_must_be_valid() {
        check(
            Some("listen = 1"),
            "",
            None,
            Err("f:1:10: listen: expected a section, [listen], found 1"),
        );
        check(
            Some("admin = "),
            "",
            None,
            Err("f:1:9: string values must be quoted, expected literal string"),
        );
        let problem = "expected an IP address and a port, like \"127.0.0.1:8012\", found";
        let listen_admin = format!("listen.admin: {problem}");
        check(
            Some("listen.admin = 1"),
            "",
            None,
            Err(&format!("f:1:16: {listen_admin} 1")),
        );
        check(
            Some(FILE),
            "x",
            None,
            Err(&format!("ACTIVATOR_LISTEN_ADMIN: {listen_admin} \"x\"")),
        );
        check(
            Some(FILE),
            "",
            Some("x"),
            Err(&format!("--listen-admin: {listen_admin} \"x\"")),
        );
    }
}
