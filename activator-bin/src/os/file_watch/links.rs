//! The names that determine what a path refers to: its own, and that of every symbolic link on the way.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// The kernel's limit on links in a path.
const MAX_LINKS: usize = 40;

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) directory: PathBuf,
    pub(super) name: OsString,
}

/// The entries that `path` depends on, in the order of resolution; the last one is the file.
///
/// In a mounted ConfigMap these are the file's link, the link `..data` and the file behind both.
pub(super) fn entries(path: &Path) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut links = 0;
    let mut done = PathBuf::from(".");
    let mut rest: VecDeque<OsString> = names(path).collect();
    while let Some(name) = rest.pop_front() {
        if Path::new(&name).has_root() {
            done = name.into();
            continue;
        }
        let here = done.join(&name);
        let target = here.read_link().ok().filter(|_| links < MAX_LINKS);
        let entry = Entry {
            directory: done.clone(),
            name,
        };
        if let Some(target) = target {
            links += 1;
            entries.push(entry);
            for name in names(&target).collect::<Vec<_>>().into_iter().rev() {
                rest.push_front(name);
            }
        } else {
            if rest.is_empty() {
                entries.push(entry);
            }
            done = here;
        }
    }
    entries
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    let names = path.components().filter(|it| *it != Component::CurDir);
    names.map(|component| OsStr::to_owned(component.as_os_str()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_depends_on_its_links_and_on_the_file_behind_them() {
        let root = std::env::temp_dir().join(format!("activator-links-{}", std::process::id()));
        let root = root.as_path();
        std::fs::create_dir_all(root.join("config/..v1")).unwrap();
        symlink("..v1", root.join("config/..data")).unwrap();
        symlink("..data/a.toml", root.join("config/a.toml")).unwrap();
        symlink(root.join("config"), root.join("absolute")).unwrap();
        symlink("../config/a.toml", root.join("config/up")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let check = |path: &str, expected: &[&str]| {
            let found = entries(&root.join(path));
            let found = found.iter().map(|it| it.directory.join(&it.name));
            let found = found.filter_map(|it| it.strip_prefix(root).ok().map(Path::to_owned));
            assert_eq!(
                found.collect::<Vec<_>>(),
                expected.iter().map(Path::new).collect::<Vec<_>>()
            );
        };
        let mounted = ["config/a.toml", "config/..data", "config/..v1/a.toml"];
        check("config/a.toml", &mounted);
        check("absolute/a.toml", &[&["absolute"], &mounted[..]].concat());
        check("config/./..v1/b.toml", &["config/..v1/b.toml"]);
        let up = [
            "config/up",
            "config/../config/a.toml",
            "config/../config/..data",
        ];
        let file = "config/../config/..v1/a.toml";
        check("config/up", &[&up[..], &[file]].concat());
        check("missing/file", &["missing/file"]);
        assert_eq!(entries(&root.join("loop")).len(), MAX_LINKS + 1);
        std::fs::remove_dir_all(root).unwrap();
    }
}
