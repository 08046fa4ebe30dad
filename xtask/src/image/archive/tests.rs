//! What is written is read back.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::Value;

use super::{Blob, Image};

const PROGRAM: &[u8] = b"\x7fELF and more";

fn archive() -> Vec<u8> {
    let files: &[(&str, u32, &[u8])] =
        &[("LICENSE", 0o644, b"text"), ("activator", 0o755, PROGRAM)];
    let image = Image {
        version: "1.2.3",
        architecture: "arm64",
        files,
    };
    image.archive().expect("memory takes any archive")
}

/// The entries of a tar archive: path, and mode and content.
fn entries(archive: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let mut found = BTreeMap::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").display().to_string();
        let header = entry.header();
        assert_eq!(header.mtime().expect("a time"), 0, "{path}");
        assert_eq!(
            (header.uid().ok(), header.gid().ok()),
            (Some(0), Some(0)),
            "{path}"
        );
        let last = found.last_key_value();
        assert!(
            last.is_none_or(|(last, _)| *last < path),
            "{path} is not in order"
        );
        let mode = header.mode().expect("a mode");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("its content");
        found.insert(path, (mode, content));
    }
    found
}

fn json(archive: &BTreeMap<String, (u32, Vec<u8>)>, path: &str) -> Value {
    serde_json::from_slice(&archive[path].1).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The blob that a descriptor describes.
#[track_caller]
fn described(archive: &BTreeMap<String, (u32, Vec<u8>)>, descriptor: &Value) -> (String, Vec<u8>) {
    let digest = descriptor["digest"].as_str().expect("a digest");
    let path = digest.replace("sha256:", "blobs/sha256/");
    let bytes = archive[&path].1.clone();
    assert_eq!(descriptor["size"], bytes.len());
    assert_eq!(Blob::new(bytes.clone()).digest(), digest);
    (path, bytes)
}

#[test]
fn the_same_files_give_the_same_bytes() {
    assert!(archive() == archive());
}

#[test]
fn both_tables_of_contents_lead_to_the_same_image() {
    let archive = entries(&archive());
    assert_eq!(json(&archive, "oci-layout")["imageLayoutVersion"], "1.0.0");
    let index = json(&archive, "index.json");
    let entry = &index["manifests"][0];
    assert_eq!(entry["platform"]["architecture"], "arm64");
    let (_, manifest) = described(&archive, entry);
    let manifest: Value = serde_json::from_slice(&manifest).expect("a manifest");
    let (config_path, config) = described(&archive, &manifest["config"]);
    let (layer_path, layer) = described(&archive, &manifest["layers"][0]);

    let docker = json(&archive, "manifest.json");
    assert_eq!(docker[0]["Config"], config_path);
    assert_eq!(docker[0]["Layers"], serde_json::json!([layer_path]));
    assert_eq!(
        docker[0]["RepoTags"],
        serde_json::json!(["activator:1.2.3"])
    );
    let name = &entry["annotations"]["io.containerd.image.name"];
    assert_eq!(name, "docker.io/library/activator:1.2.3");

    let config: Value = serde_json::from_slice(&config).expect("a configuration");
    assert_eq!(
        config["rootfs"]["diff_ids"][0],
        manifest["layers"][0]["digest"]
    );
    assert_eq!(config["architecture"], "arm64");
    let layer = entries(&layer);
    let names: Vec<_> = layer.keys().collect();
    assert_eq!(names, ["LICENSE", "activator"]);
    assert_eq!(layer["activator"], (0o755, PROGRAM.to_vec()));
}

/// An exact name of a known digest, so that no mistake in hashing can hide.
#[test]
fn a_blob_is_named_by_its_sha256() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(
        Blob::new(Vec::new()).path(),
        format!("blobs/sha256/{empty}")
    );
}
