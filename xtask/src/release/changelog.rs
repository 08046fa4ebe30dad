//! The changelog: what was not released yet becomes the section of a version.

use semver::Version;

const UNRELEASED: &str = "## Unreleased";

/// The changelog after the release, and what is in its section.
pub(super) fn release(
    text: &str,
    version: &Version,
    date: &str,
) -> Result<(String, String), String> {
    let heading = |line: &str| line.starts_with("## ");
    let lines: Vec<&str> = text.lines().collect();
    let is_of_version = |line: &&str| {
        line.strip_prefix("## ")
            .and_then(|rest| rest.split(' ').next())
            == Some(&version.to_string())
    };
    if lines.iter().any(is_of_version) {
        return Err(format!("CHANGELOG.md has a section {version} already"));
    }
    let start = lines.iter().position(|line| line.trim_end() == UNRELEASED);
    let start = start.ok_or_else(|| format!("CHANGELOG.md has no section \"{UNRELEASED}\""))?;
    let length = lines[start + 1..].iter().position(|line| heading(line));
    let end = length.map_or(lines.len(), |length| start + 1 + length);
    let (before, section, after) = (&lines[..start], &lines[start + 1..end], &lines[end..]);
    // Headings alone say nothing.
    if section
        .iter()
        .all(|line| line.trim().is_empty() || line.starts_with('#'))
    {
        return Err(format!(
            "CHANGELOG.md says of no change: \"{UNRELEASED}\" is empty"
        ));
    }

    let notes = section.join("\n").trim().to_owned();
    let mut released = before.to_vec();
    let title = format!("## {version} - {date}");
    released.extend([UNRELEASED, "", &title, "", &notes, ""]);
    released.extend(after);
    let mut released = released.join("\n");
    while released.ends_with("\n\n") {
        released.pop();
    }
    if !released.ends_with('\n') {
        released.push('\n');
    }
    Ok((released, notes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, &str), &str>) {
        let released = release(text, &Version::new(0, 2, 0), "2026-11-28");
        let expected = expected.map(|(text, notes)| (text.to_owned(), notes.to_owned()));
        assert_eq!(released, expected.map_err(str::to_owned));
    }

    #[test]
    fn the_section_moves_below_a_new_one() {
        check(
            "# Changelog\n\nSays what.\n\n## Unreleased\n\n### Added\n\n- a\n- b\n\n### Fixed\n\n- c\n\n## 0.1.0 - 2026-01-01\n\n- d\n",
            Ok((
                "# Changelog\n\nSays what.\n\n## Unreleased\n\n## 0.2.0 - 2026-11-28\n\n### Added\n\n- a\n- b\n\n### Fixed\n\n- c\n\n## 0.1.0 - 2026-01-01\n\n- d\n",
                "### Added\n\n- a\n- b\n\n### Fixed\n\n- c",
            )),
        );
    }

    #[test]
    fn the_first_release_is_the_last_section() {
        check(
            "# Changelog\n\n## Unreleased\n- a",
            Ok((
                "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-11-28\n\n- a\n",
                "- a",
            )),
        );
    }

    #[test]
    fn a_section_that_says_nothing_is_refused() {
        for nothing in ["", "\n\n", "\n### Added\n\n### Fixed\n"] {
            check(
                &format!("# Changelog\n\n## Unreleased\n{nothing}\n## 0.1.0 - 2026-01-01\n\n- d\n"),
                Err("CHANGELOG.md says of no change: \"## Unreleased\" is empty"),
            );
        }
    }

    #[test]
    fn a_changelog_that_is_not_one_is_refused() {
        check(
            "# Changelog\n\n- a\n",
            Err("CHANGELOG.md has no section \"## Unreleased\""),
        );
        check(
            "## Unreleased\n\n- a\n\n## 0.2.0 - 2026-01-01\n\n- b\n",
            Err("CHANGELOG.md has a section 0.2.0 already"),
        );
    }

    #[test]
    fn a_released_changelog_has_nothing_to_release() {
        let (released, _) = release(
            "## Unreleased\n\n- a\n",
            &Version::new(0, 2, 0),
            "2026-11-28",
        )
        .unwrap();
        let again = release(&released, &Version::new(0, 3, 0), "2026-11-29");
        assert_eq!(
            again,
            Err("CHANGELOG.md says of no change: \"## Unreleased\" is empty".to_owned())
        );
    }
}
