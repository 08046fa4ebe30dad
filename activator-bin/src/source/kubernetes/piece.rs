//! An object or event, as it is found in a response that arrives in parts. Pure.

/// An object or event, as it is found in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Its text.
    Whole(&'a [u8]),
    /// It was left out.
    TooLarge,
}

/// The piece that has begun, of which no more than a limit is held.
#[derive(Debug)]
pub(super) struct Partial {
    max: usize,
    text: Vec<u8>,
    is_too_large: bool,
}

impl Partial {
    /// Pieces of more than `max` bytes are left out.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            text: Vec::new(),
            is_too_large: false,
        }
    }

    /// Takes more of it.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        if self.text.len().saturating_add(bytes.len()) > self.max {
            self.is_too_large = true;
            self.text = Vec::new();
        }
        if !self.is_too_large {
            self.text.extend_from_slice(bytes);
        }
    }

    /// Takes the rest of it and hands it out. Then the next one begins.
    pub(super) fn complete(&mut self, rest: &[u8], on_piece: impl FnOnce(Piece<'_>)) {
        let is_whole = self.text.is_empty() && !self.is_too_large;
        if is_whole && rest.len() <= self.max {
            return on_piece(Piece::Whole(rest));
        }
        self.keep(rest);
        if std::mem::take(&mut self.is_too_large) {
            on_piece(Piece::TooLarge);
        } else {
            on_piece(Piece::Whole(&self.text));
        }
        self.text.clear();
    }
}
