//! `docs/recipes.md`: what stands in it, by heading.

use anyhow::{Context, Result, ensure};

use crate::command::root;

/// What is in one section of the page.
#[derive(Default)]
pub(super) struct Recipe {
    /// The blocks that follow a line with a path, by that path.
    pub(super) files: Vec<(String, String)>,
    /// The other blocks, which are for a shell.
    pub(super) commands: Vec<String>,
}

impl Recipe {
    /// The section below `## HEADING`.
    pub(super) fn read(heading: &str) -> Result<Self> {
        let page = std::fs::read_to_string(root().join("docs/recipes.md"))?;
        let section = page
            .split("\n## ")
            .skip(1)
            .find_map(|section| section.strip_prefix(heading)?.strip_prefix('\n'));
        let section = section.with_context(|| format!("no heading {heading:?} in the recipes"))?;
        let mut recipe = Self::default();
        let mut path = None;
        let mut lines = section.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("```") {
                let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
                let block = block.join("\n") + "\n";
                match path.take() {
                    Some(path) => recipe.files.push((path, block)),
                    None => recipe.commands.push(block),
                }
            } else if let Some(name) = line.strip_prefix('`') {
                path = name.strip_suffix("`:").map(str::to_owned).or(path);
            } else {
                ensure!(
                    line.is_empty() || path.is_none(),
                    "{heading}: no block after the path {path:?}"
                );
            }
        }
        Ok(recipe)
    }

    /// A command that is for a shell and begins with `words`.
    pub(super) fn command(&self, words: &str) -> Result<&str> {
        let mut lines = self.commands.iter().flat_map(|block| block.lines());
        lines
            .find(|line| line.starts_with(words))
            .with_context(|| format!("no command {words} ..."))
    }
}
