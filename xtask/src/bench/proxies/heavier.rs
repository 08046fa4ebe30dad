//! Proxies with more features, of which people use one instead: Envoy, Traefik and Caddy, from the packages of
//! `e2e/proxies.txt`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::{Backend, MAX_CONNECTIONS};
use crate::command::root;
use crate::support::process::{Process, Scratch};

fn program(name: &str) -> PathBuf {
    root().join(".venv/bin").join(name)
}

/// Its output says nothing that a benchmark needs.
fn start(command: &mut Command) -> Result<Process> {
    Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
}

pub(super) fn envoy(
    scratch: &Scratch,
    http1: SocketAddr,
    http2: SocketAddr,
    backend: &Backend,
) -> Result<Process> {
    let mut config = String::from("static_resources:\n  listeners:\n");
    let socket = |address: SocketAddr| {
        format!(
            "{{ socket_address: {{ address: {}, port_value: {} }} }}",
            address.ip(),
            address.port()
        )
    };
    for (name, address) in [("http1", http1), ("http2", http2)] {
        config += &format!(
            "  - name: {name}
    address: {}
    per_connection_buffer_limit_bytes: 1048576
    tcp_backlog_size: 4096
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: {name}
          codec_type: AUTO
          route_config:
            virtual_hosts:
            - {{ name: all, domains: [\"*\"], routes: [ {{ match: {{ prefix: / }}, route: {{ cluster: {name} }} }} ] }}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
",
            socket(address)
        );
    }
    config += "  clusters:\n";
    for (name, address, options) in [
        ("http1", backend.http1, "http_protocol_options: {}"),
        ("http2", backend.http2, "http2_protocol_options: {}"),
    ] {
        config += &format!(
            "  - name: {name}
    type: STATIC
    connect_timeout: 5s
    circuit_breakers: {{ thresholds: [ {{ max_connections: {MAX_CONNECTIONS}, max_pending_requests: {MAX_CONNECTIONS}, max_requests: {MAX_CONNECTIONS} }} ] }}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{ {options} }}
    load_assignment:
      cluster_name: {name}
      endpoints: [ {{ lb_endpoints: [ {{ endpoint: {{ address: {} }} }} ] }} ]
",
            socket(address)
        );
    }
    let file = scratch.path("envoy.yaml");
    std::fs::write(&file, config)?;
    let mut envoy = Command::new(program("envoy"));
    envoy.args(["--concurrency", "2", "--disable-hot-restart"]);
    start(
        envoy
            .args(["--log-level", "off", "--config-path"])
            .arg(file),
    )
}

pub(super) fn traefik(
    scratch: &Scratch,
    http1: SocketAddr,
    http2: SocketAddr,
    backend: &Backend,
) -> Result<Process> {
    let mut services = String::new();
    let mut routers = String::new();
    for (name, url) in [
        ("http1", format!("http://{}", backend.http1)),
        ("http2", format!("h2c://{}", backend.http2)),
    ] {
        routers += &format!(
            "    {name}: {{ entryPoints: [{name}], rule: \"PathPrefix(`/`)\", service: {name} }}\n"
        );
        services += &format!(
            "    {name}: {{ loadBalancer: {{ servers: [ {{ url: \"{url}\" }} ], passHostHeader: true }} }}\n"
        );
    }
    let dynamic = scratch.path("dynamic.yaml");
    std::fs::write(
        &dynamic,
        format!("http:\n  routers:\n{routers}  services:\n{services}"),
    )?;
    let config = format!(
        "entryPoints:
  http1: {{ address: \"{http1}\" }}
  http2: {{ address: \"{http2}\" }}
providers: {{ file: {{ filename: {dynamic:?} }} }}
serversTransport: {{ maxIdleConnsPerHost: 512 }}
global: {{ checkNewVersion: false, sendAnonymousUsage: false }}
log: {{ level: ERROR }}
"
    );
    let file = scratch.path("traefik.yaml");
    std::fs::write(&file, config)?;
    let mut traefik = Command::new(program("traefik"));
    start(
        traefik
            .arg(format!("--configfile={}", file.display()))
            .env("GOMAXPROCS", "2"),
    )
}

pub(super) fn caddy(
    scratch: &Scratch,
    http1: SocketAddr,
    http2: SocketAddr,
    backend: &Backend,
) -> Result<Process> {
    let config = format!(
        "{{
	admin off
	auto_https off
	persist_config off
	log {{
		output discard
	}}
	servers {{
		protocols h1 h2c
	}}
}}
http://{http1} {{
	reverse_proxy {} {{
		transport http {{
			keepalive_idle_conns_per_host 512
		}}
	}}
}}
http://{http2} {{
	reverse_proxy h2c://{}
}}
",
        backend.http1, backend.http2
    );
    let file = scratch.path("Caddyfile");
    std::fs::write(&file, config)?;
    let mut caddy = Command::new(program("caddy"));
    caddy.args(["run", "--adapter", "caddyfile", "--config"]);
    let home = scratch.path("");
    start(
        caddy
            .arg(file)
            .env("GOMAXPROCS", "2")
            .env("HOME", &home)
            .env("XDG_DATA_HOME", &home)
            .env("XDG_CONFIG_HOME", &home),
    )
}
