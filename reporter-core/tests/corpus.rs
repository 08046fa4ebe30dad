//! The fuzz targets' corpus as an ordinary test.

#[path = "../../fuzz/properties/keys.rs"]
mod keys;

use std::fs;
use std::path::Path;

#[test]
fn every_key_of_the_corpus_has_the_properties() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/keys");
    let mut inputs = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        // Printed with a failure only.
        println!("{}", path.display());
        keys::check(&fs::read(path).unwrap());
        inputs += 1;
    }
    assert!(inputs > 30, "only {inputs} inputs were found");
}
