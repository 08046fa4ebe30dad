//! A list of two packages and a library of C.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::super::packages::Packages;
use super::super::toolchain::Component;

const TREE: &str = "0activator-bin v0.1.0\n1ring v0.17.14\n1jemalloc v0.6.1+5.3\n2ring v0.17.14\n";

const METADATA: &str = r#"{"packages": [
    {"name": "activator-bin", "version": "0.1.0", "license": "Apache-2.0", "manifest_path": "/a/Cargo.toml", "repository": null},
    {"name": "jemalloc", "version": "0.6.1+5.3", "license": "MIT/Apache-2.0", "manifest_path": "/j/Cargo.toml", "repository": "https://example.org/j"},
    {"name": "ring", "version": "0.17.14", "license": "ISC", "manifest_path": "/r/Cargo.toml", "repository": null}
]}"#;

const LOCK: &str = r#"
package = [
    { name = "activator-bin", version = "0.1.0" },
    { name = "jemalloc", version = "0.6.1+5.3", source = "registry+https://github.com/rust-lang/crates.io-index", checksum = "aa" },
    { name = "ring", version = "0.17.14", source = "registry+https://github.com/rust-lang/crates.io-index", checksum = "bb" },
]
"#;

fn list() -> Value {
    let packages = Packages::join(TREE, METADATA, LOCK).expect("all are described");
    let library = Component {
        name: "libc6-dev".to_owned(),
        version: Some("2.36".to_owned()),
        license: "LGPL-2.1-or-later",
        purl: "pkg:deb/debian/libc6-dev@2.36?arch=amd64".to_owned(),
        place: "https://sourceware.org/glibc/",
        texts: Vec::new(),
    };
    let time = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(1_000_000_000));
    super::json(&packages, &[library], "cc", time)
}

#[test]
fn the_program_is_what_the_list_is_about() {
    let list = list();
    assert_eq!(list["metadata"]["timestamp"], "2001-09-09T01:46:40Z");
    let program = &list["metadata"]["component"];
    assert_eq!(program["bom-ref"], "pkg:cargo/activator-bin@0.1.0");
    assert_eq!(program["type"], "application");
    assert_eq!(
        program["hashes"],
        json!([{"alg": "SHA-256", "content": "cc"}])
    );
}

#[test]
fn each_part_has_its_version_licence_and_sum() {
    let list = list();
    let components = list["components"].as_array().expect("a list");
    let names: Vec<_> = components.iter().map(|part| &part["name"]).collect();
    assert_eq!(names, ["jemalloc", "ring", "libc6-dev"]);
    let jemalloc = json!({
        "type": "library",
        "bom-ref": "pkg:cargo/jemalloc@0.6.1%2B5.3",
        "name": "jemalloc",
        "version": "0.6.1+5.3",
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "purl": "pkg:cargo/jemalloc@0.6.1%2B5.3",
        "hashes": [{"alg": "SHA-256", "content": "aa"}],
        "externalReferences": [{"type": "vcs", "url": "https://example.org/j"}],
    });
    assert_eq!(components[0], jemalloc);
    assert_eq!(
        components[2]["licenses"][0]["expression"],
        "LGPL-2.1-or-later"
    );
}

#[test]
fn the_graph_has_each_part_once() {
    let libc = "pkg:deb/debian/libc6-dev@2.36?arch=amd64";
    let expected = json!([
        {
            "ref": "pkg:cargo/activator-bin@0.1.0",
            "dependsOn": ["pkg:cargo/jemalloc@0.6.1%2B5.3", "pkg:cargo/ring@0.17.14", libc],
        },
        {"ref": "pkg:cargo/jemalloc@0.6.1%2B5.3", "dependsOn": ["pkg:cargo/ring@0.17.14"]},
        {"ref": "pkg:cargo/ring@0.17.14", "dependsOn": []},
        {"ref": libc, "dependsOn": []},
    ]);
    assert_eq!(list()["dependencies"], expected);
}
