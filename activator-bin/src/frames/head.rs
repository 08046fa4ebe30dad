//! The head of a frame (RFC 9113, 4.1).

/// Its length in bytes.
pub(super) const HEAD: usize = 9;

/// On DATA and HEADERS.
pub(super) const END_STREAM: u8 = 0x1;
/// On HEADERS, PUSH_PROMISE and CONTINUATION.
pub(super) const END_HEADERS: u8 = 0x4;
/// On DATA and HEADERS.
pub(super) const PADDED: u8 = 0x8;

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) kind: Kind,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

/// The type of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Headers,
    Priority,
    Reset,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    Unknown,
}

impl Head {
    pub(super) fn parse(bytes: &[u8; HEAD]) -> Self {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *bytes;
        Self {
            length: u32::from_be_bytes([0, l0, l1, l2]) as usize,
            kind: Kind::parse(kind),
            flags,
            // The first bit is reserved.
            stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
        }
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether it ends its sender's half of the stream.
    pub(super) fn ends_stream(&self) -> bool {
        match self.kind {
            Kind::Data | Kind::Headers => self.has(END_STREAM),
            Kind::Reset => true,
            _ => false,
        }
    }

    /// Whether it is an empty DATA frame that does not end the stream.
    pub(super) fn is_empty_data(&self) -> bool {
        self.kind == Kind::Data && self.length == 0 && !self.has(END_STREAM | PADDED)
    }
}

impl Kind {
    fn parse(kind: u8) -> Self {
        match kind {
            0 => Self::Data,
            1 => Self::Headers,
            2 => Self::Priority,
            3 => Self::Reset,
            4 => Self::Settings,
            5 => Self::PushPromise,
            6 => Self::Ping,
            7 => Self::GoAway,
            8 => Self::WindowUpdate,
            9 => Self::Continuation,
            _ => Self::Unknown,
        }
    }
}
