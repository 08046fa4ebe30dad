//! The DNS names in a certificate, as they are written there.
//!
//! The verification library compares names, but refuses those with a label of more than 63 characters: Knative's for a
//! namespace of more than 55.

use rustls::pki_types::CertificateDer;

// Tags of DER, and the identifier of the extension (RFC 5280, 4.2.1.6).
const SEQUENCE: u8 = 0x30;
const IDENTIFIER: u8 = 0x06;
const OCTETS: u8 = 0x04;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// The DNS names of `certificate`, none when it is malformed.
pub(super) fn dns_names<'a>(certificate: &'a CertificateDer<'_>) -> Vec<&'a str> {
    let mut names = subject_alt_name(certificate).unwrap_or_default();
    std::iter::from_fn(|| element(&mut names))
        .filter(|(tag, _)| *tag == DNS_NAME)
        .filter_map(|(_, name)| str::from_utf8(name).ok())
        .collect()
}

fn subject_alt_name(certificate: &[u8]) -> Option<&[u8]> {
    let signed = find(find(certificate, SEQUENCE)?, SEQUENCE)?;
    let mut extensions = find(find(signed, EXTENSIONS)?, SEQUENCE)?;
    loop {
        let (_, extension) = element(&mut extensions)?;
        if find(extension, IDENTIFIER)? == SUBJECT_ALT_NAME {
            return find(find(extension, OCTETS)?, SEQUENCE);
        }
    }
}

/// The content of the first element with this tag.
fn find(mut der: &[u8], tag: u8) -> Option<&[u8]> {
    std::iter::from_fn(|| element(&mut der))
        .find(|(found, _)| *found == tag)
        .map(|(_, content)| content)
}

/// Takes the first element off: its tag and its content.
fn element<'a>(der: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&[tag, first], rest) = der.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let append = |length, byte: &u8| (length << 8) | usize::from(*byte);
            (length.iter().fold(0, append), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *der = rest;
    Some((tag, content))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(names: &[&str]) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        let address = SanType::IpAddress([127, 0, 0, 1].into());
        let mail = SanType::Rfc822Name("mail.example".try_into().unwrap());
        let dns = |name: &&str| SanType::DnsName((*name).try_into().unwrap());
        params.subject_alt_names = names.iter().map(dns).collect();
        params.subject_alt_names.extend([address, mail]);
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn only_dns_names_are_found_however_long() {
        let long = format!("kn-user-{}", "n".repeat(63));
        let many: Vec<_> = (0..100).map(|it| format!("{it}.example")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        for names in [&["data-plane.knative.dev", &long][..], &["one"], &[], &many] {
            assert_eq!(dns_names(&certificate(names)), names);
        }
    }

    proptest! {
        #[test]
        fn malformed_certificates_have_no_names_beyond_their_bytes(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            at in any::<prop::sample::Index>(),
            flip in 1..=u8::MAX,
        ) {
            dns_names(&bytes.into());
            let mut bytes = certificate(&["kn-user-default"]).to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            dns_names(&bytes.clone().into());
            bytes.truncate(at);
            dns_names(&bytes.into());
        }
    }
}
