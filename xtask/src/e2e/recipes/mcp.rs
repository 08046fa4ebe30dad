//! An MCP server and a client, both of the Python SDK.

use anyhow::Result;

use super::trial::Trial;
use crate::command;
use crate::e2e::python::Python;

pub(super) fn run() -> Result<()> {
    let trial = Trial::new("An MCP server over HTTP", &[])?;
    let activator = trial.start()?;
    let mut client = Python::prepare()?.script("recipes/mcp_client.py");
    command::run(client.arg(trial.http.to_string()))?;
    trial.stop(activator)
}
