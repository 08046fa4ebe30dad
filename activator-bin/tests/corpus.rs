//! The fuzz targets' corpora as ordinary tests: what was worth keeping once is tried on every run.

#[path = "../../fuzz/properties/config.rs"]
mod config;
#[path = "../../fuzz/properties/keys.rs"]
mod keys;
#[path = "../../fuzz/properties/replay.rs"]
mod replay;

use std::fs;
use std::path::Path;

fn check_all(corpus: &str, least: usize, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(corpus);
    let mut inputs = 0;
    for entry in fs::read_dir(corpus).expect("the corpus is part of the project") {
        let path = entry.expect("it can be listed").path();
        // Printed with a failure only.
        println!("{}", path.display());
        check(&fs::read(path).expect("an input can be read"));
        inputs += 1;
    }
    assert!(inputs >= least, "only {inputs} inputs were found");
}

#[test]
fn keys_of_the_corpus_keep_the_property() {
    check_all("keys", 31, keys::check);
}

#[test]
fn histories_of_the_corpus_keep_the_property() {
    check_all("replay", 31, replay::check);
}

#[test]
fn configurations_of_the_corpus_keep_the_property() {
    check_all("config", 14, config::check);
}
