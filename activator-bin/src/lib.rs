//! The activator as a library: what the binary assembles, and what its tests drive in-process.

mod admin;
mod body;
pub mod cli;
pub mod config;
mod drain;
mod echo;
mod frames;
mod h2_body;
mod interim;
pub mod logging;
mod open_files;
mod outcome;
pub mod probe;
mod proxy;
pub mod record;
mod regular_file;
pub mod replay;
pub mod revision;
pub mod run;
mod server;
pub mod source;
pub mod throttle;
mod timeouts;
mod tls;
mod told;
mod upload;
mod upstream;
