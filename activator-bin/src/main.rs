//! The program `activator`.

fn main() {}
