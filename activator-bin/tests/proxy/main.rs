//! The proxy end to end, in this process: real sockets on the loopback interface on both sides.
#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

mod access_log;
mod admin;
mod backend_failures;
mod backend_readiness;
mod backend_tls;
mod bodies;
mod body_limit;
mod certificates;
mod cluster_instances;
mod cluster_tls;
mod connections;
mod disconnects;
mod drain;
mod early_response;
mod errors;
mod events;
mod first_lists;
mod grpc;
mod half_close;
mod header_case;
mod headers;
mod http2;
mod https;
mod idle_backend_connections;
mod idle_clients;
mod informational;
mod instances;
mod launched;
mod limits;
mod platform_probes;
mod ports;
mod queue;
mod reload;
mod reported_counts;
mod retries;
mod revision_lookup;
mod revisions;
mod start;
#[path = "../support/support.rs"]
mod support;
mod targets;
mod timeouts;
mod traces;
mod upgrade;
mod websocket;
