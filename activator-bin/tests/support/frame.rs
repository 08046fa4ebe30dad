//! Frames as bytes (RFC 9113, 4 to 6), and fields as bytes without compression (RFC 7541, 6.2.3).

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The kinds of frames, by number.
pub(crate) const KINDS: [&str; 10] = [
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
];
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Of DATA and HEADERS.
pub(crate) const END_STREAM: u8 = 0x1;
/// Of SETTINGS and PING.
pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;
pub(crate) const PRIORITY: u8 = 0x20;

/// What is wrong, by number.
const CODES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[self.kind, self.flags]].concat();
        [&head, &self.stream.to_be_bytes()[..], &self.payload].concat()
    }

    /// Takes the first one off `bytes`, when it is there as a whole.
    pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let [high, middle, low, kind, flags, stream @ ..] = *bytes.first_chunk::<9>()?;
        let end = 9 + u32::from_be_bytes([0, high, middle, low]) as usize;
        let frame = Self {
            kind,
            flags,
            stream: u32::from_be_bytes(stream),
            payload: bytes.get(9..end)?.to_vec(),
        };
        bytes.drain(..end);
        Some(frame)
    }

    /// With what a CONTINUATION adds.
    pub(crate) fn and(mut self, next: Self) -> Self {
        self.flags |= next.flags;
        self.payload.extend(next.payload);
        self
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The error code at this place of the payload, in words.
    pub(crate) fn code(&self, at: usize) -> &'static str {
        let code = self.payload[at..].first_chunk().unwrap();
        CODES[u32::from_be_bytes(*code) as usize]
    }
}

/// A field that is in no table and goes into none.
pub(crate) fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[0x10], &*text(name), &*text(value)].concat()
}

/// A text that is not compressed: its length as an integer of seven bits and more, and itself.
fn text(bytes: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    match bytes.len().checked_sub(0x7f) {
        None => coded.push(bytes.len() as u8),
        Some(mut rest) => {
            coded.push(0x7f);
            while rest >= 0x80 {
                coded.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            coded.push(rest as u8);
        }
    }
    coded.extend(bytes);
    coded
}
