//! Packages with and without texts of their licences.

use std::collections::BTreeSet;

use super::{Licences, Package, is_licence, texts};
use crate::support::process::Scratch;

/// A package with these files, each with its own path as its text.
fn package(scratch: &Scratch, license: &str, files: &[&str]) -> Package {
    let directory = scratch.path("package");
    std::fs::create_dir_all(&directory).expect("a directory");
    for file in files {
        let path = directory.join(file);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(path, file).expect("a file");
    }
    Package {
        license: license.to_owned(),
        repository: None,
        directory,
        checksum: Some("aa".to_owned()),
        dependencies: BTreeSet::new(),
    }
}

#[test]
fn the_texts_of_a_package_are_its_files_wherever_they_are() {
    let scratch = Scratch::new("licences").expect("a directory");
    let files = ["src/lib.rs", "LICENSE-MIT", "c/COPYING", "src/licence.rs"];
    let found = texts(&package(&scratch, "MIT", &files)).expect("there are some");
    let text = |path: &str| (path.to_owned(), path.to_owned());
    assert_eq!(found, [text("LICENSE-MIT"), text("c/COPYING")]);
}

#[test]
fn a_package_without_a_text_gets_one_only_if_that_names_no_holder() {
    let scratch = Scratch::new("licences").expect("a directory");
    for license in ["Apache-2.0", "MIT OR Apache-2.0"] {
        let found = texts(&package(&scratch, license, &[])).expect("a standard text");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "Apache-2.0, as SPDX has it");
        assert!(found[0].1.contains("Version 2.0, January 2004"));
    }
    for license in [
        "MIT",
        "MIT AND Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        let error = texts(&package(&scratch, license, &[])).expect_err("no text fits");
        assert!(
            error
                .to_string()
                .starts_with(&format!("it is {license} and has no file"))
        );
    }
}

#[test]
fn files_with_licences_are_told_by_their_names() {
    for name in [
        "LICENSE",
        "license.md",
        "LICENCE.txt",
        "COPYING",
        "UNLICENSE",
        "LICENSE.httprouter",
        "NOTICE",
    ] {
        assert!(is_licence(name), "{name}");
    }
    for name in ["licensee.rs", "README.md", "license.toml", "copyright.h"] {
        assert!(!is_licence(name), "{name}");
    }
}

#[test]
fn a_text_of_many_packages_stands_once() {
    let mut licences = Licences::default();
    let text = |text: &str| vec![("LICENSE".to_owned(), text.to_owned())];
    licences.add(
        "a 1",
        "MIT",
        "https://example.org",
        text("\nFree  for\r\nall\n\n"),
    );
    licences.add("b 2", "ISC", "", text("Not free"));
    licences.add("c 3", "MIT", "", text("Free for all"));
    let all = licences.text("some-target");
    assert!(
        all.contains("\na 1: MIT https://example.org\nb 2: ISC\nc 3: MIT\n"),
        "{all}"
    );
    assert!(all.contains("\na 1 (LICENSE)\nc 3 (LICENSE)\n==="), "{all}");
    assert!(all.contains("=\n\nFree  for\nall\n\n="), "{all}");
    assert_eq!(all.matches("all\n").count(), 1, "{all}");
}
