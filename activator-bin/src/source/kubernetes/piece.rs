//! An object or event, as it is found in a response.

/// An object or event, as it is found in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Its text.
    Whole(&'a [u8]),
    /// It was left out.
    TooLarge,
}
