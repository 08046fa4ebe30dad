//! Tests of the machine: scenes as text, and what they are read with.

mod scenes;
mod script;
