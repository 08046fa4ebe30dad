//! The recipes of `docs/recipes.md`, run as they stand there.
//!
//! What is not on the page is what a recipe expects to be there: Caddy, nginx, gunicorn and an MCP server are the real
//! ones; `docker`, `systemctl`, `llama-server` and a service of the reader's own are stand-ins.

mod containers;
mod development;
mod gunicorn;
mod mcp;
mod models;
mod page;
mod proxies;
mod systemd;
mod trial;

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::python::Python;
use crate::support::http::Answer;

type Part = (&'static str, fn() -> Result<()>);

const PARTS: &[Part] = &[
    ("systemd", systemd::run),
    ("Caddy", proxies::run_caddy),
    ("nginx", proxies::run_nginx),
    ("containers and units", containers::run),
    ("model server", models::run),
    ("MCP server", mcp::run),
    ("development", development::run),
    ("gunicorn", gunicorn::run),
];

pub(crate) fn run() -> Result<()> {
    Python::prepare()?;
    for (name, part) in PARTS {
        let start = Instant::now();
        part().with_context(|| format!("recipe {name}"))?;
        println!("{name}: {:.1} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// `answer` must be a 200 with `text` in its body.
fn expect(answer: &Answer, text: &str) -> Result<()> {
    let (status, body) = (answer.status, answer.body.trim());
    ensure!(
        status == 200 && body.contains(text),
        "{status} {body:?}, not 200 with {text:?}"
    );
    Ok(())
}
