//! SHA-256 sums, as `sha256sum --check` reads them.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The SHA-256 of `bytes`, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The lines of files, in the order given.
pub(crate) fn lines<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut lines = String::new();
    for (path, content) in files {
        writeln!(lines, "{}  {path}", sha256(content)).expect("a string takes any text");
    }
    lines
}

#[cfg(test)]
mod tests {
    /// Exact sums, of FIPS 180-2, so that no mistake in hashing can hide.
    #[test]
    fn a_line_has_the_sum_two_blanks_and_the_path() {
        let files: [(&str, &[u8]); 2] = [("a/b", b"abc"), ("empty", b"")];
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a/b\n\
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  empty\n";
        assert_eq!(super::lines(files.into_iter()), expected);
    }
}
