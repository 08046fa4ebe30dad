//! What may be negotiated with a peer: versions, cipher suites and curves, by the names that Knative and Go use.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::sign::SigningKey;
use rustls::{
    CipherSuite, ClientConfig, ConfigBuilder, NamedGroup, ServerConfig, SupportedCipherSuite,
    SupportedProtocolVersion, WantsVerifier,
};

use super::version::TlsVersion;

/// All supported cipher suites, by their IANA names.
pub(crate) const CIPHER_SUITES: &[(&str, CipherSuite)] = {
    use CipherSuite as Suite;
    &[
        ("TLS_AES_128_GCM_SHA256", Suite::TLS13_AES_128_GCM_SHA256),
        ("TLS_AES_256_GCM_SHA384", Suite::TLS13_AES_256_GCM_SHA384),
        (
            "TLS_CHACHA20_POLY1305_SHA256",
            Suite::TLS13_CHACHA20_POLY1305_SHA256,
        ),
        (
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ),
        (
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ),
        (
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ),
        (
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ),
        (
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ),
        (
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ),
    ]
};

/// All supported curves, by the names of the standards and of Go's constants.
pub(crate) const CURVES: &[(&str, NamedGroup)] = &[
    ("X25519", NamedGroup::X25519),
    ("P-256", NamedGroup::secp256r1),
    ("CurveP256", NamedGroup::secp256r1),
    ("P-384", NamedGroup::secp384r1),
    ("CurveP384", NamedGroup::secp384r1),
];

/// What may be negotiated: at least one version, with a cipher suite and a curve.
#[derive(Clone)]
pub(crate) struct Negotiation {
    versions: Vec<&'static SupportedProtocolVersion>,
    /// Passed explicitly, so that a process-wide default has no effect.
    provider: Arc<CryptoProvider>,
}

/// None of the cipher suites belongs to one of the versions.
#[derive(Debug, thiserror::Error)]
#[error("names no cipher suite of a TLS version that is allowed")]
pub(crate) struct NoCipherSuite;

impl Negotiation {
    /// Allows `versions`, with these cipher suites and curves. Without any all are allowed.
    ///
    /// As in Go, a list for TLS 1.2 does not affect TLS 1.3: it keeps all of its suites unless one of them is named.
    pub(crate) fn try_new(
        versions: RangeInclusive<TlsVersion>,
        suites: &[CipherSuite],
        curves: &[NamedGroup],
    ) -> Result<Self, NoCipherSuite> {
        let mut provider = ring::default_provider();
        let is_named = |it: &SupportedCipherSuite| suites.contains(&it.suite());
        let is_1_3 = |it: &SupportedCipherSuite| it.tls13().is_some();
        if !suites.is_empty() {
            let mut all = provider.cipher_suites.iter();
            let any_1_3 = all.any(|it| is_1_3(it) && is_named(it));
            let stays = |it: &_| is_named(it) || (is_1_3(it) && !any_1_3);
            provider.cipher_suites.retain(stays);
        }
        if !curves.is_empty() {
            let groups = &mut provider.kx_groups;
            groups.retain(|group| curves.contains(&group.name()));
        }
        let versions = TlsVersion::within(&versions);
        let negotiation = Self {
            versions,
            provider: Arc::new(provider),
        };
        let is_usable = negotiation.suites().next().is_some();
        is_usable.then_some(negotiation).ok_or(NoCipherSuite)
    }

    /// Allows a version and all later ones, with all that they have.
    pub(crate) fn since(version: TlsVersion) -> Self {
        let versions = version..=TlsVersion::V1_3;
        Self::try_new(versions, &[], &[]).expect("every version has cipher suites")
    }

    pub(super) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    /// Whether a server with this key can agree with any client.
    pub(super) fn suits(&self, key: &dyn SigningKey) -> bool {
        let algorithm = key.algorithm();
        self.suites()
            .any(|it| it.usable_for_signature_algorithm(algorithm))
    }

    pub(super) fn server(&self) -> ConfigBuilder<ServerConfig, WantsVerifier> {
        ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&self.versions)
            .expect("there is a cipher suite and a curve")
    }

    pub(super) fn client(&self) -> ConfigBuilder<ClientConfig, WantsVerifier> {
        ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&self.versions)
            .expect("there is a cipher suite and a curve")
    }

    /// The allowed suites of the allowed versions.
    fn suites(&self) -> impl Iterator<Item = &SupportedCipherSuite> {
        let suites = self.provider.cipher_suites.iter();
        suites.filter(|suite| self.versions.contains(&suite.version()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_supported_suite_and_curve_has_its_name() {
        let provider = ring::default_provider();
        let iana = |suite: CipherSuite| suite.as_str().unwrap().replace("TLS13_", "TLS_");
        for suite in &provider.cipher_suites {
            let named = (&*iana(suite.suite()), suite.suite());
            assert!(CIPHER_SUITES.contains(&named), "{named:?}");
        }
        assert_eq!(CIPHER_SUITES.len(), provider.cipher_suites.len());
        for group in &provider.kx_groups {
            assert!(CURVES.iter().any(|(_, named)| *named == group.name()));
        }
        for (name, group) in CURVES {
            let supported = provider.kx_groups.iter().any(|it| it.name() == *group);
            assert!(supported, "{name}");
        }
    }

    #[test]
    fn named_suites_restrict_their_own_version() {
        use TlsVersion::{V1_2, V1_3};
        const OF_1_2: CipherSuite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
        const OF_1_3: CipherSuite = CipherSuite::TLS13_AES_256_GCM_SHA384;
        let check = |versions, suites: &[CipherSuite], expected: Option<(usize, usize)>| {
            let found = Negotiation::try_new(versions, suites, &[]).ok().map(|it| {
                let new = it.suites().filter(|suite| suite.tls13().is_some());
                let new = new.count();
                (it.suites().count() - new, new)
            });
            assert_eq!(found, expected, "{suites:?}");
        };
        check(V1_2..=V1_3, &[], Some((6, 3)));
        check(V1_3..=V1_3, &[], Some((0, 3)));
        check(V1_2..=V1_2, &[], Some((6, 0)));
        check(V1_2..=V1_3, &[OF_1_2], Some((1, 3)));
        check(V1_3..=V1_3, &[OF_1_2], Some((0, 3)));
        check(V1_2..=V1_3, &[OF_1_3], Some((0, 1)));
        check(V1_2..=V1_3, &[OF_1_2, OF_1_3], Some((1, 1)));
        check(V1_2..=V1_2, &[OF_1_3], None);
        check(V1_3..=V1_2, &[], None);
    }
}
