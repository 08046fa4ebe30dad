//! What is written is read back.

use std::io::Read;

use super::{File, Files, Tar};

fn files() -> Files {
    let text = |path: &str| (path.to_owned(), File::text(path));
    let mut files = Files::from([text("b/deep/er"), text("a"), text("b/c")]);
    files.insert("z".to_owned(), File::program(vec![0; 2000]));
    files
}

#[test]
fn files_come_after_their_directories_and_are_root_s() {
    let archive = Tar::of(&files(), "top", 1_700_000_000).expect("memory takes any archive");
    let mut archive = tar::Archive::new(&archive[..]);
    let mut paths = Vec::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let header = entry.header();
        assert_eq!(header.mtime().ok(), Some(1_700_000_000));
        assert_eq!((header.uid().ok(), header.gid().ok()), (Some(0), Some(0)));
        assert_eq!(header.username().ok().flatten().unwrap_or_default(), "");
        let mode = header.mode().expect("a mode");
        let path = entry.path().expect("a path").display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("its content");
        match path.strip_prefix("top/") {
            Some("z") => assert_eq!((mode, content.len()), (0o755, 2000)),
            Some(path) if !path.ends_with('/') && !path.is_empty() => {
                assert_eq!((mode, content), (0o644, path.as_bytes().to_vec()));
            }
            _ => assert_eq!((mode, content.len()), (0o755, 0), "{path}"),
        }
        paths.push(path);
    }
    let expected = [
        "top/",
        "top/a",
        "top/b/",
        "top/b/c",
        "top/b/deep/",
        "top/b/deep/er",
        "top/z",
    ];
    assert_eq!(paths, expected);
}
