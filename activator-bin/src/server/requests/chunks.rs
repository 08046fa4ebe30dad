//! Finds the end of a chunked body. Hyper validates it: where an invalid one ends here does not matter.

/// Where the next byte of a chunked body belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    /// To the digits of a size, with this value so far.
    Size(u64),
    /// To the rest of the line of this size.
    Extension(u64),
    /// To a chunk with this many bytes left.
    Data(u64),
    DataEnd,
    /// To the start of a line after the last chunk.
    TrailerStart,
    Trailer,
    TrailerEnd,
    /// The line feed of the last line.
    End,
}

impl Default for Chunks {
    fn default() -> Self {
        Self::Size(0)
    }
}

impl Chunks {
    /// Takes bytes of the body. Returns how many, and whether it is complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            *self = match (*self, byte) {
                (Self::Size(0) | Self::Extension(0), b'\n') => Self::TrailerStart,
                (Self::Size(size) | Self::Extension(size), b'\n') => Self::Data(size),
                (Self::Size(size), digit) => match (digit as char).to_digit(16) {
                    Some(digit) => {
                        let size = size.saturating_mul(16).saturating_add(digit.into());
                        Self::Size(size)
                    }
                    None => Self::Extension(size),
                },
                (Self::Data(left), _) => {
                    // This byte and those after it.
                    let there = bytes.len() - at + 1;
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(there);
                    at += taken - 1;
                    match left - taken as u64 {
                        0 => Self::DataEnd,
                        left => Self::Data(left),
                    }
                }
                (Self::DataEnd, b'\n') => Self::Size(0),
                // A bare line feed does not end a line here.
                (Self::TrailerStart, b'\r') => Self::End,
                (Self::TrailerStart, _) => Self::Trailer,
                (Self::Trailer, b'\r') => Self::TrailerEnd,
                (Self::TrailerEnd, _) => Self::TrailerStart,
                (Self::End, _) => return (at, true),
                (same @ (Self::Extension(_) | Self::DataEnd | Self::Trailer), _) => same,
            };
        }
        (at, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_with_the_empty_line_after_its_last_chunk_in_pieces_of_any_size() {
        let check = |body: &[u8]| {
            let all = [body, b"GET /"].concat();
            for piece in 1..all.len() {
                let (mut chunks, mut taken) = (Chunks::default(), 0);
                for bytes in all.chunks(piece) {
                    let (more, is_over) = chunks.take(bytes);
                    taken += more;
                    if is_over {
                        break;
                    }
                    assert_eq!(more, bytes.len());
                }
                assert_eq!(taken, body.len(), "{}", body.escape_ascii());
            }
        };
        check(b"0\r\n\r\n");
        check(b"000;a=b\r\n\r\n");
        check(b"3\r\nabc\r\n0\r\n\r\n");
        check(b"1A ;x\r\n0123456789012345678901234\n\r\n00\r\n\r\n");
        check(b"1\r\n\n\r\n1\r\n0\r\n0\r\na: b\r\nc: d\r\n\r\n");
        check(b"0\r\na: b\n\r\n\r\n");
        check(b"0\r\n\na: b\r\n\r\n");
    }
}
