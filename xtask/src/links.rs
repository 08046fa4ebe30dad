//! The links of all Markdown pages: those within the repository lead to a file, and to a heading of it.
//!
//! Links to other places are only listed: whether they work is not up to a change.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::command::{command, output, root};

/// What one page has.
#[derive(Debug, Default, PartialEq)]
struct Page {
    /// The anchors of its headings.
    anchors: HashSet<String>,
    /// Where its links lead, each with its line.
    links: Vec<(usize, String)>,
}

/// The links that lead elsewhere, and what is wrong with the others.
fn check(
    pages: &BTreeMap<PathBuf, Page>,
    exists: &dyn Fn(&Path) -> bool,
) -> (Vec<String>, Vec<String>) {
    let mut external = Vec::new();
    let mut broken = Vec::new();
    for (path, page) in pages {
        for (line, link) in &page.links {
            if link.contains("://") || link.starts_with("mailto:") {
                external.push(format!("{}:{line}: {link}", path.display()));
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => Some(path.clone()),
                file => beside(path, file),
            };
            let problem = match target {
                None => "leads out of the repository",
                Some(target) if !exists(&target) => "there is no such file",
                Some(_) if anchor.is_empty() => continue,
                Some(target) => match pages.get(&target) {
                    Some(page) if page.anchors.contains(anchor) => continue,
                    Some(_) => "there is no such heading",
                    None => "only pages have headings",
                },
            };
            broken.push(format!("{}:{line}: {link}: {problem}", path.display()));
        }
    }
    (external, broken)
}

/// The path of `link` on the page `from`, from the root; `None` above that.
fn beside(from: &Path, link: &str) -> Option<PathBuf> {
    let mut path = from.parent()?.to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => path.pop().then_some(())?,
            Component::CurDir => {}
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading: Option<String> = None;
        let mut times = HashMap::new();
        let events = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES);
        for (event, place) in events.into_offset_iter() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap_or_default());
                    let before: &mut usize = times.entry(anchor.clone()).or_default();
                    page.anchors.insert(match *before {
                        0 => anchor,
                        before => format!("{anchor}-{before}"),
                    });
                    *before += 1;
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    let line = text[..place.start].matches('\n').count() + 1;
                    page.links.push((line, dest_url.into_string()));
                }
                _ => {}
            }
        }
        page
    }
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|it| it.is_alphanumeric() || " -_".contains(*it));
    kept.flat_map(char::to_lowercase)
        .map(|it| if it == ' ' { '-' } else { it })
        .collect()
}

const A: &str = "# One `two`, three's!\n\n[b](b/b.md#next) [self](#one-two-threes)\n\n## Next\n\n## Next\n\n\
        ```\n[no](link)\n# no heading\n```\n\n| a | [c](https://example.org) |\n|---|---|\n| ![x](x.png) | [ref] |\n\n\
        [ref]: b/b.md#next-1\n";

#[test]
fn links_and_headings_are_found_but_not_in_code() {
    let page = Page::read(A);
    let anchors = ["one-two-threes", "next", "next-1"];
    assert_eq!(page.anchors, anchors.map(str::to_owned).into());
    let links = [
        (3, "b/b.md#next"),
        (3, "#one-two-threes"),
        (14, "https://example.org"),
        (16, "x.png"),
        (16, "b/b.md#next-1"),
    ];
    assert_eq!(
        page.links,
        links.map(|(line, link)| (line, link.to_owned()))
    );
}

#[test]
fn each_kind_of_broken_link_is_found() {
    let b = "# B\n\n## Next\n\n[out](../../x.md)\n[up](../a.md#next-1)\n[none](none.md)\n[file](../c.rs#L1)\n[/](/a.md)\n";
    let pages = [("a.md", A), ("b/b.md", b)];
    let pages = pages.map(|(path, text)| (path.into(), Page::read(text)));
    let files = ["a.md", "b/b.md", "c.rs"];
    let exists = |path: &Path| files.iter().any(|file| path == Path::new(file));
    let (external, broken) = check(&pages.into(), &exists);
    assert_eq!(external, ["a.md:14: https://example.org"]);
    let expected = [
        "a.md:16: x.png: there is no such file",
        "a.md:16: b/b.md#next-1: there is no such heading",
        "b/b.md:5: ../../x.md: leads out of the repository",
        "b/b.md:7: none.md: there is no such file",
        "b/b.md:8: ../c.rs#L1: only pages have headings",
        "b/b.md:9: /a.md: leads out of the repository",
    ];
    assert_eq!(broken, expected);
}

#[test]
fn the_links_of_all_pages_lead_somewhere() {
    let list = "git ls-files --cached --others --exclude-standard *.md";
    let list = output(&mut command(list)).unwrap();
    let mut pages = BTreeMap::new();
    for path in list.lines() {
        // One that was removed may still be in the index.
        if let Ok(text) = std::fs::read_to_string(root().join(path)) {
            pages.insert(PathBuf::from(path), Page::read(&text));
        }
    }
    let (external, broken) = check(&pages, &|path| root().join(path).exists());
    println!("not tried:\n{}", external.join("\n"));
    assert!(pages.len() > 15, "only {} pages were found", pages.len());
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}
