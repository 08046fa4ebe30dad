//! W3C Trace Context: ids, `traceparent` and `tracestate`. Pure.

use std::fmt;

use http::header::{Entry, HeaderName};
use http::{HeaderMap, HeaderValue};

/// The header that names the trace and the span that a request comes from.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header that vendors of tracing systems add to it.
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The length of a `traceparent` of version 00.
const LENGTH: usize = 55;
/// The longest `tracestate` that spans get, in bytes.
const MAX_STATE: usize = 512;
/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

/// The id of a trace; not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

/// The id of a span; not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId(u64);

/// Which trace and span a request comes from, and whether the trace is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub trace: TraceId,
    pub span: SpanId,
    pub is_sampled: bool,
}

impl TraceId {
    /// `None` for 0.
    #[must_use]
    pub fn new(id: u128) -> Option<Self> {
        (id != 0).then_some(Self(id))
    }

    pub(super) fn random() -> Self {
        Self(rand::random_range(1..=u128::MAX))
    }

    /// In the order of the text.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The half that sampling decides by, which is random in all systems.
    pub(super) fn low(self) -> u64 {
        let [.., a, b, c, d, e, f, g, h] = self.to_bytes();
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl SpanId {
    /// `None` for 0.
    #[must_use]
    pub fn new(id: u64) -> Option<Self> {
        (id != 0).then_some(Self(id))
    }

    pub(super) fn random() -> Self {
        Self(rand::random_range(1..=u64::MAX))
    }

    /// In the order of the text.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// As a `traceparent` of version 00. Of the flags only `sampled` is known to all its readers: some take others for a
/// mistake.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace,
            span,
            is_sampled,
        } = self;
        write!(f, "00-{trace}-{span}-{:02x}", u8::from(*is_sampled))
    }
}

impl TraceContext {
    /// What a `traceparent` says; `None` if it is malformed. Later versions may say more at the end.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (known, more) = text.split_at_checked(LENGTH)?;
        let known = str::from_utf8(known).ok()?;
        let mut parts = known.split('-');
        let mut part = |length| parts.next().filter(|part| part.len() == length);
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let version = u8::try_from(hex(version)?).ok()?;
        let ends = match version {
            0 => more.is_empty(),
            0xff => false,
            _ => more.first().is_none_or(|byte| *byte == b'-'),
        };
        let flags = u8::try_from(hex(flags)?).ok()?;
        let context = Self {
            trace: TraceId::new(hex(trace)?)?,
            span: SpanId::new(u64::try_from(hex(span)?).ok()?)?,
            is_sampled: flags & SAMPLED != 0,
        };
        ends.then_some(context)
    }

    /// What the headers of a request say; `None` if there is no single valid `traceparent`.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all(TRACEPARENT).iter();
        let first = all.next()?;
        all.next().is_none().then_some(())?;
        Self::parse(first.as_bytes().trim_ascii())
    }

    /// Makes this the context of a request.
    pub(super) fn set(self, headers: &mut HeaderMap) {
        let value = HeaderValue::try_from(self.to_string());
        headers.insert(TRACEPARENT, value.expect("it is visible ASCII"));
    }
}

/// The number that the lower-case digits stand for.
fn hex(digits: &str) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    digits.bytes().all(is_digit).then_some(())?;
    u128::from_str_radix(digits, 16).ok()
}

/// The `tracestate` of a request, for its spans; empty if it is too long for them.
pub(super) fn state(headers: &HeaderMap) -> String {
    let mut state = String::new();
    for value in headers.get_all(TRACESTATE) {
        let Ok(value) = value.to_str() else {
            return String::new();
        };
        if !state.is_empty() {
            state.push(',');
        }
        state.push_str(value.trim());
        if state.len() > MAX_STATE {
            return String::new();
        }
    }
    state
}

/// Removes the `tracestate` of a trace that ends here.
pub(super) fn remove_state(headers: &mut HeaderMap) {
    if let Entry::Occupied(state) = headers.entry(TRACESTATE) {
        state.remove_entry_mult();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn check(text: &str, expected: Option<&str>) {
        let found = TraceContext::parse(text.as_bytes());
        let found = found.map(|context| context.to_string());
        assert_eq!(found.as_deref(), expected, "{text:?}");
    }

    #[test]
    fn a_traceparent_names_a_trace_and_a_span() {
        check(VALID, Some(VALID));
        let unsampled = VALID.replace("-01", "-00");
        check(&unsampled, Some(&unsampled));
        // Of the flags only the lowest is known.
        check(&VALID.replace("-01", "-ff"), Some(VALID));
        check(&VALID.replace("-01", "-02"), Some(&unsampled));
        // Later versions.
        check(&VALID.replace("00-", "01-"), Some(VALID));
        check(&format!("cc{}-more", &VALID[2..]), Some(VALID));
        check(&format!("cc{}.more", &VALID[2..]), None);
        check(&VALID.replace("00-", "ff-"), None);
        for bad in [
            "",
            "00",
            &VALID[..54],
            &format!("{VALID}-"),
            &format!("{VALID}-more"),
            &VALID.to_uppercase(),
            &VALID.replace("4bf9", "4bg9"),
            &VALID.replace("4bf9", "+bf9"),
            &VALID.replace('-', "_"),
            &VALID.replace("00-4bf9", "00--4bf"),
            &VALID.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &VALID.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &VALID.replace("-01", "-0x"),
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn two_traceparents_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, HeaderValue::from_static(VALID));
        assert!(TraceContext::of(&headers).is_some());
        headers.append(TRACEPARENT, HeaderValue::from_static(VALID));
        assert_eq!(TraceContext::of(&headers), None);
    }

    #[test]
    fn a_state_that_is_too_long_stays_in_the_request_alone() {
        let state_of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRACESTATE, value.parse().unwrap());
            }
            state(&headers)
        };
        assert_eq!(state_of(&[]), "");
        assert_eq!(state_of(&["a=1, b=2", " c=3 "]), "a=1, b=2,c=3");
        assert_eq!(state_of(&[&"x".repeat(MAX_STATE)]).len(), MAX_STATE);
        assert_eq!(state_of(&[&"x".repeat(MAX_STATE), "y"]), "");
        assert_eq!(state_of(&["a=ü"]), "");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(trace in 1u128.., span in 1u64.., is_sampled: bool) {
            let context = TraceContext {
                trace: TraceId::new(trace).unwrap(),
                span: SpanId::new(span).unwrap(),
                is_sampled,
            };
            let text = context.to_string();
            prop_assert_eq!(text.len(), LENGTH);
            prop_assert_eq!(TraceContext::parse(text.as_bytes()), Some(context));
        }

        #[test]
        fn a_changed_byte_is_read_as_what_it_says_or_not_at_all(at in 0..LENGTH, byte: u8) {
            let mut text = VALID.as_bytes().to_vec();
            text[at] = byte;
            if let Some(read) = TraceContext::parse(&text) {
                // Whatever is valid is hexadecimal, so that only a version and flags are written differently.
                let written = read.to_string();
                prop_assert_eq!(&written.as_bytes()[3..53], &text[3..53]);
            }
        }

        #[test]
        fn any_bytes_are_read_as_what_they_say_or_not_at_all(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(read) = TraceContext::parse(&text) {
                let written = read.to_string();
                prop_assert_eq!(&text[3..53], &written.as_bytes()[3..53]);
            }
        }
    }
}
