//! How far the list and the watch of one resource have come, and what is asked for next. Pure.
//!
//! A list is asked for as the API server has it in memory. If that cannot be had it is read from the storage, page by page,
//! from the first one again if any page fails. A watch goes on from the last version that was heard of, on however many
//! connections; only if the API server no longer knows that version the list is read again, and then none that is older.

use super::api_server::RequestError;
use super::list_page::Head;

/// After so many watches in a row that the API server refused, it may never take one from that version again.
const MAX_REFUSED: u32 = 3;

/// What is asked for next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// The list as of this version or a later one; 0 for any.
    List { version: String },
    /// A page of the list: the first one, or the one that this token stands for.
    Page { token: String },
    /// All changes after this version.
    Watch { version: String },
}

/// Why a watch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WatchEnd {
    /// As it should.
    Over,
    /// The API server says that it failed, or sent something that is no event: what has changed is not known.
    Lost(String),
    /// It was refused, or broke.
    Failed(RequestError),
}

/// How far the list and the watch of one resource have come.
#[derive(Debug)]
pub(super) struct Progress {
    max_pages: u32,
    ask: Ask,
    /// As of which version the list is made.
    version: String,
    /// The last version that was heard of.
    known: String,
    pages: u32,
    refused: u32,
}

impl Progress {
    pub(super) fn new(max_pages: u32) -> Self {
        Self {
            max_pages,
            ask: Ask::List {
                version: ANY.to_owned(),
            },
            version: String::new(),
            known: ANY.to_owned(),
            pages: 0,
            refused: 0,
        }
    }

    /// What is asked for next.
    pub(super) fn ask(&self) -> &Ask {
        &self.ask
    }

    /// A page has been received. Returns whether it was the last one.
    ///
    /// # Errors
    /// The list has no end, or no version; it starts again.
    pub(super) fn on_page(&mut self, head: Head) -> Result<bool, String> {
        self.pages += 1;
        if self.version.is_empty() {
            self.version = head.resource_version;
        }
        if head.token.is_empty() {
            let version = std::mem::take(&mut self.version);
            if version.is_empty() {
                self.start_again();
                return Err("the list has no resourceVersion".to_owned());
            }
            self.known.clone_from(&version);
            self.ask = Ask::Watch { version };
            return Ok(true);
        }
        let next = Ask::Page { token: head.token };
        if self.ask == next || self.pages >= self.max_pages {
            let pages = self.pages;
            self.start_again();
            return Err(format!("the list does not end: {pages} pages were read"));
        }
        self.ask = next;
        Ok(false)
    }

    /// A list or page was not received: the list starts again.
    pub(super) fn on_page_failed(&mut self, error: &RequestError) {
        let is_list = matches!(self.ask, Ask::List { .. });
        self.start_again();
        // The API server does not have this version in memory, or does not keep this kind there.
        if is_list && matches!(error.code(), Some(400 | 410 | 422 | 500 | 504)) {
            let token = String::new();
            self.ask = Ask::Page { token };
        }
    }

    /// The watch has begun.
    pub(super) fn on_watching(&mut self) {
        self.refused = 0;
    }

    /// Everything up to this version has been heard of.
    pub(super) fn on_version(&mut self, version: &str) {
        if let Ask::Watch { version: last } = &mut self.ask
            && !version.is_empty()
        {
            version.clone_into(last);
            version.clone_into(&mut self.known);
        }
    }

    /// The watch has ended.
    pub(super) fn on_watch_ended(&mut self, end: &WatchEnd) {
        let is_lost = match end {
            WatchEnd::Over => false,
            WatchEnd::Lost(_) => true,
            WatchEnd::Failed(error) => match error.code() {
                // For now, or with these credentials.
                Some(401 | 429 | 500..) => {
                    self.refused += 1;
                    self.refused >= MAX_REFUSED
                }
                Some(_) => true,
                None => false,
            },
        };
        if is_lost {
            self.start_again();
        }
    }

    fn start_again(&mut self) {
        (self.version, self.pages, self.refused) = (String::new(), 0, 0);
        let version = self.known.clone();
        self.ask = Ask::List { version };
    }
}

/// The version that stands for any.
const ANY: &str = "0";

#[cfg(test)]
mod tests {
    use super::*;

    /// With a status, or without a response: `-`.
    fn error(text: &str) -> RequestError {
        match text.parse() {
            Ok(code) => RequestError::Status {
                code,
                message: String::new(),
                retry_after: None,
            },
            Err(_) => RequestError::Failed(String::new()),
        }
    }

    /// Replays a history and says what is asked for after it. `p7/x` is a page of version 7 with the token x, `P504` one that
    /// failed, `v8` an event of version 8, `w` a watch that has begun; `.` one that is over, `!` that is lost, `410` and
    /// the like that was refused, `-` that broke.
    fn check(history: &str, expected: &str) {
        let mut progress = Progress::new(4);
        for event in history.split_whitespace() {
            let rest = &event[1..];
            match &event[..1] {
                "p" => {
                    let (version, token) = rest.split_once('/').unwrap();
                    let _ = progress.on_page(Head {
                        resource_version: version.to_owned(),
                        token: token.to_owned(),
                    });
                }
                "P" => progress.on_page_failed(&error(rest)),
                "v" => progress.on_version(rest),
                "w" => progress.on_watching(),
                "." => progress.on_watch_ended(&WatchEnd::Over),
                "!" => progress.on_watch_ended(&WatchEnd::Lost(String::new())),
                _ => progress.on_watch_ended(&WatchEnd::Failed(error(event))),
            }
        }
        let asked = match progress.ask() {
            Ask::List { version } => format!("list {version}"),
            Ask::Page { token } => format!("page {token}"),
            Ask::Watch { version } => format!("watch {version}"),
        };
        assert_eq!(asked.trim_end(), expected, "{history}");
    }

    #[test]
    fn a_list_is_read_to_its_end() {
        check("", "list 0");
        check("p7/", "watch 7");
        check("p7/x", "page x");
        check("p7/x p7/y", "page y");
        check("p7/x p7/y p7/", "watch 7");
        // From the version of the first page on nothing can be missed.
        check("p7/x p9/", "watch 7");
        check("p/", "list 0");
    }

    #[test]
    fn a_list_that_is_not_in_memory_is_read_page_by_page() {
        check("P504", "page");
        check("P504 p7/x p7/", "watch 7");
        check("P504 p7/x P410 p9/", "watch 9");
        check("P504 P504 P504", "page");
        // One that cannot be had at all.
        check("P- P503 P429 P401 P403 P404", "list 0");
        check("P504 P-", "list 0");
        check("p7/x P-", "list 0");
    }

    #[test]
    fn a_list_without_end_is_given_up() {
        check("p7/x p7/x", "list 0");
        check("p7/a p7/b p7/c", "page c");
        check("p7/a p7/b p7/c p7/d", "list 0");
        check("p7/a p7/b p7/c p7/", "watch 7");
    }

    #[test]
    fn a_watch_goes_on_where_it_was() {
        check("p7/ w .", "watch 7");
        check("p7/ w v8 v9 .", "watch 9");
        check("p7/ w v8 -", "watch 8");
        check("p7/ w v8 v -", "watch 8");
        check("p7/ - - - - -", "watch 7");
        check("p7/ 503 429", "watch 7");
        check("p7/ 401 w v8 500 504", "watch 8");
    }

    #[test]
    fn what_is_lost_is_listed_and_not_as_it_was_before() {
        check("p7/ w v8 !", "list 8");
        check("p7/ 410", "list 7");
        check("p7/ w v8 . 410", "list 8");
        check("p7/ w v8 ! P- P-", "list 8");
        check("p7/ 403", "list 7");
        check("p7/ 404", "list 7");
        check("p7/ 504 504 504", "list 7");
        check("p7/ 504 504 w . 504 504", "watch 7");
        // The storage was replaced by an older one.
        check("p7/ 504 504 504 P504", "page");
        check("p7/ 504 504 504 P504 p3/ w !", "list 3");
    }
}
