//! The configuration file is followed, however it is changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use activator_bin::testing::{Activator, FileSource, Options, Sources};

use crate::support::activator::{PATIENCE, until};
use crate::support::http1::Client;

/// An activator that follows a file in a directory of its own.
struct Following {
    activator: Activator,
    directory: PathBuf,
}

const LISTEN: &str = "[listen]\nhttp = \"127.0.0.1:0\"\nhttp2 = \"off\"\nadmin = \"127.0.0.1:0\"\n";

/// A whole file that serves revisions of these names.
fn text(names: &str) -> String {
    let revision = |name| format!("[[revision]]\nnamespace = \"ns\"\nname = \"{name}\"\n");
    let revisions: String = names.split_whitespace().map(revision).collect();
    format!("workers = 1\n[admin]\nwrite = true\n{LISTEN}{revisions}")
}

impl Following {
    /// `prepare` makes `activator.toml` in the directory that it is given.
    fn start(test: &str, prepare: impl FnOnce(&Path)) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("reload-{test}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        prepare(&directory);
        let file = directory.join("activator.toml");
        let sources = Sources {
            file: Some(file.clone()),
            ..Sources::default()
        };
        let config = sources.load().unwrap();
        let source = FileSource::try_new(file, sources, config.clone()).unwrap();
        let options = Options {
            source: Some(Box::new(source)),
            ..Options::default()
        };
        let activator = Activator::start(config, options).unwrap();
        Self {
            activator,
            directory,
        }
    }

    /// With a plain file that serves revisions of these names.
    fn plain(test: &str, names: &str) -> Self {
        Self::start(test, |directory| {
            fs::write(directory.join("activator.toml"), text(names)).unwrap();
        })
    }

    async fn ask(&self, request: &str) -> String {
        let mut client = Client::connect(self.activator.admin_addr()).await;
        let request = format!("{request} HTTP/1.1\r\nHost: localhost\r\n");
        client.ask(&request).await.body
    }

    /// The names of the revisions that are served, and whether the last reading was good.
    async fn state(&self) -> (String, bool) {
        let list = self.ask("GET /v1/revisions").await;
        let names = list.split("\"name\":\"").skip(1);
        let names: Vec<_> = names.filter_map(|rest| rest.split('"').next()).collect();
        let metrics = self.ask("GET /metrics").await;
        let good = metrics.contains("\nactivator_config_last_reload_success 1\n");
        (names.join(" "), good)
    }

    /// Waits until exactly these are served: a file is followed on another thread.
    async fn serves(&self, names: &str, good: bool) {
        let mut last = Default::default();
        let waiting = async {
            loop {
                last = self.state().await;
                if last == (names.to_owned(), good) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(in_time.is_ok(), "{last:?} instead of {names:?}, {good}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }
}

#[tokio::test]
async fn write_in_place() {
    let it = Following::plain("in-place", "a");
    it.serves("a", true).await;
    it.write("activator.toml", text("a b"));
    it.serves("a b", true).await;
    it.write("activator.toml", text("b"));
    it.serves("b", true).await;
}

#[tokio::test]
async fn rename_over_the_file() {
    let it = Following::plain("rename", "a");
    for names in ["b", "b c", "c d e"] {
        it.write("new", text(names));
        it.rename("new", "activator.toml");
        it.serves(names, true).await;
    }
}

#[tokio::test]
async fn mounted_config_map() {
    let it = Following::start("mounted", |directory| {
        fs::create_dir(directory.join("..v1")).unwrap();
        fs::write(directory.join("..v1/activator.toml"), text("a")).unwrap();
        symlink("..v1", directory.join("..data")).unwrap();
        symlink("..data/activator.toml", directory.join("activator.toml")).unwrap();
    });
    it.serves("a", true).await;
    for (version, names) in [("..v2", "a b"), ("..v3", "b")] {
        fs::create_dir(it.path(version)).unwrap();
        it.write(&format!("{version}/activator.toml"), text(names));
        symlink(version, it.path("..data_tmp")).unwrap();
        it.rename("..data_tmp", "..data");
        it.serves(names, true).await;
    }
}

#[tokio::test]
async fn replaced_symlink() {
    let it = Following::start("link", |directory| {
        fs::write(directory.join("one"), text("a")).unwrap();
        symlink("one", directory.join("activator.toml")).unwrap();
    });
    it.write("two", text("b"));
    fs::remove_file(it.path("activator.toml")).unwrap();
    symlink("two", it.path("activator.toml")).unwrap();
    it.serves("b", true).await;
    it.write("two", text("c"));
    it.serves("c", true).await;
}

#[tokio::test]
async fn replaced_directory() {
    let it = Following::start("directory", |directory| {
        fs::create_dir(directory.join("v")).unwrap();
        fs::write(directory.join("v/activator.toml"), text("a")).unwrap();
        symlink(
            directory.join("v/activator.toml"),
            directory.join("activator.toml"),
        )
        .unwrap();
    });
    it.serves("a", true).await;
    fs::create_dir(it.path("w")).unwrap();
    it.write("w/activator.toml", text("b"));
    it.rename("v", "old");
    it.rename("w", "v");
    it.serves("b", true).await;
    it.write("v/activator.toml", text("c"));
    it.serves("c", true).await;
}

#[tokio::test]
async fn missing_file_changes_nothing() {
    let it = Following::plain("gone", "a");
    it.serves("a", true).await;
    fs::remove_file(it.path("activator.toml")).unwrap();
    it.serves("a", false).await;
    it.write("activator.toml", text("a b"));
    it.serves("a b", true).await;
}

#[tokio::test]
async fn bad_file_changes_nothing() {
    let it = Following::plain("bad", "a");
    it.serves("a", true).await;
    for bad in ["workers = 0\n[[revision]]\n", "[[revision", "\u{0}"] {
        it.write("activator.toml", bad);
        it.serves("a", false).await;
        it.write("activator.toml", text("a"));
        it.serves("a", true).await;
    }
}

#[tokio::test]
async fn emptied_file_changes_nothing() {
    let it = Following::plain("emptied", "a b");
    it.serves("a b", true).await;
    for blank in ["", "\n\n", "# soon\n \t# more\n"] {
        it.write("activator.toml", blank);
        it.serves("a b", false).await;
        it.write("activator.toml", text("a b"));
        it.serves("a b", true).await;
        it.write("new", blank);
        it.rename("new", "activator.toml");
        it.serves("a b", false).await;
        it.write("activator.toml", text("a b"));
        it.serves("a b", true).await;
    }
}

#[tokio::test]
async fn explicitly_empty_list_removes_all_revisions() {
    for (test, none) in [("none", "revision = []\n"), ("settings", "workers = 1\n")] {
        let it = Following::plain(test, "a b");
        it.serves("a b", true).await;
        it.write("activator.toml", none);
        it.serves("", true).await;
        // Nothing can be lost any more.
        it.write("activator.toml", "");
        it.serves("", true).await;
        it.write("activator.toml", text("a"));
        it.serves("a", true).await;
    }
}

#[tokio::test]
async fn what_is_no_regular_file_changes_nothing() {
    let it = Following::plain("no-file", "a");
    it.serves("a", true).await;
    let pipe = |path: &Path| {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    };
    for (index, what) in ["a directory", "a pipe", "a device", "a loop"]
        .into_iter()
        .enumerate()
    {
        let new = it.path("new");
        match what {
            "a directory" => fs::create_dir(new).unwrap(),
            "a pipe" => pipe(&new),
            "a device" => symlink("/dev/zero", new).unwrap(),
            _ => symlink("activator.toml", new).unwrap(),
        }
        // A directory does not take a file's place by itself.
        it.rename("activator.toml", "old");
        it.rename("new", "activator.toml");
        it.serves(&names(index), false).await;
        it.rename("activator.toml", what);
        it.write("new", text(&names(index + 1)));
        it.rename("new", "activator.toml");
        it.serves(&names(index + 1), true).await;
    }
    fn names(round: usize) -> String {
        if round == 0 {
            "a".to_owned()
        } else {
            format!("r{round}")
        }
    }
}

#[tokio::test]
async fn half_written_file_is_not_read() {
    use std::io::Write;
    let it = Following::plain("half", "a b");
    it.serves("a b", true).await;
    let mut file = fs::File::create(it.path("activator.toml")).unwrap();
    let begin = Instant::now();
    file.write_all(text("c").as_bytes()).unwrap();
    let state = it.state().await;
    // Where the machine stalls between the writes, the file has settled and is read by right.
    let stalled = begin.elapsed() > Duration::from_secs(1);
    assert!(stalled || state == ("a b".to_owned(), true), "{state:?}");
    file.write_all(text("d").split_once(LISTEN).unwrap().1.as_bytes())
        .unwrap();
    drop(file);
    it.serves("c d", true).await;
}

#[tokio::test]
async fn admin_changes_survive_unrelated_file_changes() {
    let it = Following::plain("admin", "a b");
    it.serves("a b", true).await;
    it.ask("DELETE /v1/revisions/ns/a").await;
    it.serves("b", true).await;
    it.write("activator.toml", text("a b c"));
    it.serves("b c", true).await;
    it.write("activator.toml", text("b d"));
    it.serves("b d", true).await;
    it.write("activator.toml", text("a b d"));
    it.serves("a b d", true).await;
}

#[tokio::test]
async fn last_of_many_changes_wins() {
    let it = Following::plain("many", "a");
    for round in 0..200 {
        it.write("new", text(&format!("r{round}")));
        it.rename("new", "activator.toml");
    }
    it.serves("r199", true).await;
}

#[tokio::test]
async fn new_revision_is_served() {
    let it = Following::plain("requests", "a");
    let mut client = Client::connect(it.activator.http_addr()).await;
    let get = "GET / HTTP/1.1\r\nHost: b.ns.svc.cluster.local\r\n";
    assert_eq!(client.ask(get).await.status(), 404);
    it.write("activator.toml", text("a b"));
    it.serves("a b", true).await;
    // It has no backends, so it waits, and is counted.
    client.send(format!("{get}\r\n")).await;
    let b = "ns/b".parse().unwrap();
    let in_flight = || it.activator.reporter().in_flight(&b) == Some(1);
    until("the request is in flight", in_flight).await;
}
