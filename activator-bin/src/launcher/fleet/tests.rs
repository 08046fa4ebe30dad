//! Tests of the machine: scenes as text, and histories in a made-up world.

mod histories;
mod next_stop;
mod rules;
mod scenes;
mod script;
mod storms;
mod world;
