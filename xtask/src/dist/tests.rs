//! What is in an archive, and how it is packed.

use std::io::Read;

use super::parts::Parts;
use super::{files, gzip, is_released};
use crate::archive::{File, Files};
use crate::program::VERSION;

#[test]
fn an_archive_has_all_parts_and_the_sums_of_each() {
    let parts = Parts::made_up(Files::from([("docs/a.md".to_owned(), File::text("a"))]));
    let files = files(parts);
    let paths: Vec<_> = files.keys().map(String::as_str).collect();
    let sums = String::from_utf8(files["SHA256SUMS"].content.clone()).expect("text");
    let summed: Vec<_> = sums.lines().map(|line| &line[66..]).collect();
    assert_eq!(paths[0], "SHA256SUMS");
    assert_eq!(paths[1..], summed);
    assert_eq!(files["activator"].mode, 0o755);
    for (path, content) in [
        ("completions/_activator", "zsh"),
        ("completions/activator.bash", "bash"),
        ("completions/activator.fish", "fish"),
        ("man/activator.1", "manual"),
    ] {
        assert_eq!(files[path].content, content.as_bytes());
    }
}

#[test]
fn what_is_compressed_has_neither_name_nor_time() {
    let compressed = gzip(b"content").expect("memory takes it");
    let (flags, time) = (compressed[3], &compressed[4..8]);
    assert_eq!((flags, time), (0, &[0; 4][..]));
    let mut content = String::new();
    let mut reader = flate2::read::GzDecoder::new(&compressed[..]);
    reader.read_to_string(&mut content).expect("gzip");
    assert_eq!(content, "content");
}

#[test]
fn the_sums_beside_are_those_of_this_version_s_releases() {
    for name in [
        "-x86_64-unknown-linux-gnu.tar.gz",
        "-x86_64-unknown-linux-musl.tar.gz",
    ] {
        assert!(is_released(&format!("activator-{VERSION}{name}")));
    }
    assert!(is_released(&format!("activator_{VERSION}-1_amd64.deb")));
    for name in [
        format!("activator-{VERSION}.oci.tar"),
        "activator-0.0.1-x86_64-unknown-linux-gnu.tar.gz".to_owned(),
        // Of a version before this one.
        format!("activator-{VERSION}-rc.1-x86_64-unknown-linux-gnu.tar.gz"),
        format!("activator_{VERSION}~rc.1-1_amd64.deb"),
        "SHA256SUMS".to_owned(),
    ] {
        assert!(!is_released(&name), "{name}");
    }
}
