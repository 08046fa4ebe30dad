//! Whatever ConfigMaps say, each setting is the last good one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::config_maps;
use crate::source::config_maps::{ClusterSettings, ConfigMap, Remark, RemarkKind};

/// Keys of all three, with values of which many are wrong.
fn any_data() -> impl Strategy<Value = BTreeMap<String, String>> {
    const KEYS: &[&str] = &[
        "enable-mesh-pod-addressability",
        "mesh-compatibility-mode",
        "system-internal-tls",
        "internal-encryption",
        "loglevel.activator",
        "zap-logger-config",
        "logging.enable-request-log",
        "logging.request-log-template",
        "metrics-protocol",
        "profiling.enable",
    ];
    const VALUES: &[&str] = &[
        "",
        "true",
        "false",
        "auto",
        "enabled",
        "disabled",
        "info",
        "debug",
        "grpc",
        "{}",
        "{\"level\":\"warn\"}",
        "{{.Request.Method}}",
        "{{",
        "\u{7}",
    ];
    let values = prop_oneof![
        8 => prop::sample::select(VALUES).prop_map(str::to_owned),
        1 => ".*",
    ];
    let key = prop::sample::select(KEYS).prop_map(str::to_owned);
    prop::collection::btree_map(key, values, 0..6)
}

proptest! {
    /// Each setting is that of the last data in which it was not wrong.
    #[test]
    fn settings_are_the_last_good_ones(
        history in prop::collection::vec((prop::sample::select(&ConfigMap::ALL[..]), prop::option::of(any_data())), 1..12)
    ) {
        let mut maps = config_maps();
        let mut expected = ClusterSettings::default();
        for (map, data) in history {
            let mut alone = config_maps();
            let found = alone.set(map, data.as_ref());
            let is_good = |keys: &[&str]| {
                let is_wrong = |it: &Remark| matches!(it.kind, RemarkKind::Wrong(_)) && keys.contains(&it.key);
                !found.iter().any(is_wrong)
            };
            let now = alone.settings().clone();
            match map {
                ConfigMap::Network => {
                    if is_good(&["enable-mesh-pod-addressability"]) {
                        expected.mesh.pod_addressability = now.mesh.pod_addressability;
                    }
                    if is_good(&["mesh-compatibility-mode"]) {
                        expected.mesh.mode = now.mesh.mode;
                    }
                    if is_good(&["system-internal-tls", "internal-encryption"]) {
                        expected.internal_tls = now.internal_tls;
                    }
                }
                ConfigMap::Logging => if is_good(&["loglevel.activator", "zap-logger-config"]) {
                    expected.log_level = now.log_level;
                },
                ConfigMap::Observability => {
                    if is_good(&["logging.enable-request-log", "logging.request-log-template"]) {
                        expected.access_log = now.access_log;
                    }
                }
            }
            let said = maps.set(map, data.as_ref());
            prop_assert!(said.iter().all(|it| found.contains(it)));
            prop_assert!(said.iter().all(|it| !it.to_string().contains(char::is_control)));
            prop_assert!(maps.set(map, data.as_ref()).is_empty(), "said twice");
            prop_assert_eq!(maps.settings(), &expected);
        }
    }
}
