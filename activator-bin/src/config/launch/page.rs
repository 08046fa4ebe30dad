//! `waiting_page`: files are read with the configuration, each once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::os::regular_file;
use crate::revision::launch::WaitingPage;
use crate::settings::{Value, quoted};

use super::value::is_path;

/// The largest page: it is kept in memory.
const LIMIT: u64 = 256 << 10;
/// The most different files, for the same reason.
const MOST: usize = 100;

/// What a section says.
#[derive(Clone, PartialEq, Eq)]
pub enum PageChoice {
    /// The page that comes with the activator.
    Auto,
    /// None.
    Off,
    /// This file.
    File(PathBuf),
}

pub(super) fn choice(value: &Value<'_>) -> Result<PageChoice, String> {
    match value.string("") {
        Ok("auto") => Ok(PageChoice::Auto),
        Ok("off") => Ok(PageChoice::Off),
        Ok(path) if is_path(path) => value.path().map(PageChoice::File),
        _ => Err(value.instead_of("\"auto\", \"off\" or the path of a file, like \"./page.html\"")),
    }
}

/// The files read so far.
#[derive(Default)]
pub(in super::super) struct Pages(BTreeMap<PathBuf, Result<Arc<str>, String>>);

impl Pages {
    /// The page that was chosen, or what is wrong with its file.
    pub(super) fn read(&mut self, choice: &PageChoice) -> Result<WaitingPage, String> {
        match choice {
            PageChoice::Auto => Ok(WaitingPage::Auto),
            PageChoice::Off => Ok(WaitingPage::Off),
            PageChoice::File(path) => self.file(path).map(WaitingPage::Page),
        }
    }

    fn file(&mut self, path: &Path) -> Result<Arc<str>, String> {
        if !self.0.contains_key(path) && self.0.len() == MOST {
            return Err(format!(
                "is one file too many; all revisions together may have {MOST} pages"
            ));
        }
        let page = self.0.entry(path.to_owned()).or_insert_with(|| {
            let bytes = regular_file::read_up_to(path, LIMIT);
            let text = bytes
                .map_err(|why| why.to_string())
                .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned()));
            text.map(Into::into)
        });
        let name = path.to_string_lossy();
        page.clone()
            .map_err(|why| format!("{} {why}", quoted(&name)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_once_if_it_is_a_small_text_and_up_to_so_many() {
        let folder = std::env::temp_dir().join(format!("activator-page-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut pages = Pages::default();
        let mut read = |name: &str, content: &[u8]| {
            fs::write(folder.join(name), content).unwrap();
            pages.read(&PageChoice::File(folder.join(name)))
        };
        let largest = " ".repeat(256 << 10);
        assert_eq!(
            read("a", largest.as_bytes()),
            Ok(WaitingPage::Page(largest.as_str().into()))
        );
        assert_eq!(
            read("a", b"changed").map(|it| it == WaitingPage::Page(largest.as_str().into())),
            Ok(true)
        );
        let why = read("b", (largest + " ").as_bytes()).unwrap_err();
        assert!(why.ends_with("is larger than 256 KiB"), "{why}");
        assert!(read("c", b"\xff").unwrap_err().ends_with("is not UTF-8"));
        for index in 3..MOST {
            assert!(read(&format!("page{index}"), b"").is_ok());
        }
        assert!(read("last", b"").is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
