//! The bytes of an image's archive, from those of its files: in OCI's layout, and with the table of contents of
//! `docker save`, so that tools of both kinds take it.
//!
//! Nothing here depends on the machine or the time.

use anyhow::Result;
use serde_json::{Value, json};

use crate::archive::Tar;
use crate::sums::sha256;

/// An image of one layer.
pub(crate) struct Image<'a> {
    pub(crate) version: &'a str,
    /// In Go's words.
    pub(crate) architecture: &'a str,
    /// In the root directory: name, mode, content. `activator` is what the image starts.
    pub(crate) files: &'a [(&'a str, u32, &'a [u8])],
}

/// Not root, and a number, by which Kubernetes can tell that it is not.
const USER: &str = "65532:65532";

/// Images have to have been made some time.
const CREATED: &str = "1970-01-01T00:00:00Z";
const MODIFIED: u64 = 0;

impl Image<'_> {
    pub(crate) fn archive(&self) -> Result<Vec<u8>> {
        let Self {
            version,
            architecture,
            ..
        } = self;
        let mut layer = Tar::new(MODIFIED);
        for &(name, mode, content) in self.files {
            layer.file(name, mode, content)?;
        }
        // Not compressed: whoever pushes it compresses it, and no two versions of a compressor do it alike.
        let layer = Blob::new(layer.end()?);
        let config = Blob::json(&json!({
            "architecture": architecture,
            "os": "linux",
            "created": CREATED,
            "config": {
                "Entrypoint": ["/activator"],
                "User": USER,
                "WorkingDir": "/",
                "Labels": {
                    "org.opencontainers.image.licenses": "Apache-2.0",
                    "org.opencontainers.image.title": "activator",
                    "org.opencontainers.image.version": version,
                },
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.digest()]},
        }));
        const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
        let manifest = Blob::json(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor("application/vnd.oci.image.config.v1+json"),
            "layers": [layer.descriptor("application/vnd.oci.image.layer.v1.tar")],
        }));
        let mut entry = manifest.descriptor(MANIFEST);
        entry["platform"] = json!({"architecture": architecture, "os": "linux"});
        entry["annotations"] = json!({
            // Of containerd, for the whole name; of OCI, for the tag.
            "io.containerd.image.name": format!("docker.io/library/activator:{version}"),
            "org.opencontainers.image.ref.name": version,
        });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [entry],
        });
        let docker = json!([{
            "Config": config.path(),
            "RepoTags": [format!("activator:{version}")],
            "Layers": [layer.path()],
        }]);

        let mut archive = Tar::new(MODIFIED);
        archive.directory("blobs/")?;
        archive.directory("blobs/sha256/")?;
        let mut blobs = [layer, config, manifest];
        blobs.sort_by_key(Blob::path);
        for blob in blobs {
            archive.file(&blob.path(), 0o644, &blob.bytes)?;
        }
        archive.file("index.json", 0o644, index.to_string().as_bytes())?;
        archive.file("manifest.json", 0o644, docker.to_string().as_bytes())?;
        let layout = json!({"imageLayoutVersion": "1.0.0"});
        archive.file("oci-layout", 0o644, layout.to_string().as_bytes())?;
        archive.end()
    }
}

/// Bytes that are named by their digest.
struct Blob {
    bytes: Vec<u8>,
    sha256: String,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Self {
        let sha256 = sha256(&bytes);
        Self { bytes, sha256 }
    }

    fn json(value: &Value) -> Self {
        Self::new(value.to_string().into_bytes())
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.sha256)
    }

    fn digest(&self) -> String {
        format!("sha256:{}", self.sha256)
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": self.digest(), "size": self.bytes.len()})
    }
}

#[cfg(test)]
mod tests;
