//! Hostile requests, from a client's socket to the backend's.
#![no_main]

#[path = "../properties/requests.rs"]
mod requests;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| requests::check(bytes));
