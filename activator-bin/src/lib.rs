//! The activator as a library: [`cli`] for the binary, `testing` for tests in this process.

mod admin;
pub mod cli;
mod client;
mod config;
mod drain;
mod frames;
mod limits;
mod logging;
mod message;
mod os;
mod probe;
mod proxy;
mod readiness;
mod revision;
mod run;
mod server;
mod settings;
mod source;
#[doc(hidden)]
pub mod testing;
mod throttle;
mod timeouts;
mod tls;
mod upstream;
mod history;
