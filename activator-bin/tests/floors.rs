//! Which module may import which. `src/lib.rs` lists the modules from the top floor to the ground, a blank line
//! between two floors: each imports only from floors below its own. Among the files of one module nothing goes
//! in a circle, except that a file may use the one that it is a part of.
#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module of a crate: its path, as in `server/http2`.
type Module = String;

/// The imports of each module.
type Imports = BTreeMap<Module, BTreeSet<Module>>;

/// The text of each module.
type Sources = BTreeMap<Module, String>;

fn sources() -> Sources {
    fn read(folder: &Path, prefix: &str, sources: &mut Sources) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let module = format!("{prefix}{stem}");
            if path.is_dir() {
                read(&path, &format!("{module}/"), sources);
            } else {
                sources.insert(module, fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut sources = Sources::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    read(&src, "", &mut sources);
    sources.remove("main");
    sources
}

/// The modules of each floor, from the top to the ground.
fn floors(lib: &str) -> Vec<Vec<&str>> {
    let floor = |lines: &&str| lines.lines().any(|line| declared(line).is_some());
    lib.split("\n\n")
        .filter(floor)
        .map(|lines| lines.lines().filter_map(declared).collect())
        .collect()
}

/// The module that a line declares.
fn declared(line: &str) -> Option<&str> {
    let (visibility, rest) = line.trim_start().split_once("mod ")?;
    let is_visibility = visibility.is_empty() || visibility.starts_with("pub");
    is_visibility.then(|| rest.strip_suffix(';'))?
}

/// The words and marks of a text, without its comments and strings.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match rest {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("::") => 2,
            _ if rest.starts_with("r#\"") => rest.find("\"#").map_or(rest.len(), |end| end + 2),
            _ if first == '"' => string(rest),
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") => 3,
            _ => first.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        if !token.starts_with("//") && !token.trim().is_empty() {
            tokens.push(token);
        }
        rest = behind;
    }
    tokens
}

/// The length of the string that `text` starts with.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !is_escaped => return at + 1,
            _ => is_escaped = c == '\\' && !is_escaped,
        }
    }
    text.len()
}

/// All paths that `tokens` name, from the root of the crate; those that begin with a word that is
/// neither a part of `module` nor one of Rust's are left out.
fn paths(tokens: &[&str], module: &str, all: &Sources) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, &token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |before| tokens[before]);
        if before == "::"
            || tokens.get(at + 1) != Some(&"::")
            || (before == "in" && tokens[at - 2] == "(")
        {
            continue;
        }
        let here: Vec<String> = module
            .split('/')
            .filter(|it| *it != "lib")
            .map(Into::into)
            .collect();
        let start = match token {
            "crate" => Vec::new(),
            "self" => here,
            "super" => here[..here.len() - 1].to_vec(),
            child if all.contains_key(&format!("{module}/{child}")) => {
                [here, vec![child.into()]].concat()
            }
            _ => continue,
        };
        follow(&tokens[at + 1..], start, &mut paths);
    }
    paths
}

/// Follows a path, and each branch of a list of paths, behind `start`. With the number of tokens that were read.
fn follow(tokens: &[&str], mut start: Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    let mut at = 0;
    while tokens.get(at) == Some(&"::") {
        match tokens.get(at + 1) {
            Some(&"{") => {
                at += 2;
                while let Some(&token) = tokens.get(at) {
                    match token {
                        "}" => return at + 1,
                        "," => at += 1,
                        "self" => {
                            paths.push(start.clone());
                            at += 1;
                        }
                        word => {
                            let branch = [&start[..], &[word.into()]].concat();
                            at += 1 + follow(&tokens[at + 1..], branch, paths);
                        }
                    }
                }
                return at;
            }
            Some(&"super") => drop(start.pop()),
            Some(&word) => start.push(word.into()),
            None => break,
        }
        at += 2;
    }
    paths.push(start);
    at
}

/// What each module imports: the files of the paths that it names.
fn imports(sources: &Sources) -> Imports {
    let file = |path: &[String]| {
        let lengths = (1..=path.len()).rev();
        let mut prefixes = lengths.map(|length| path[..length].join("/"));
        prefixes.find(|module| sources.contains_key(module))
    };
    let imports = |(module, text): (&Module, &String)| {
        let named = paths(&tokens(text), module, sources);
        let mut imports: BTreeSet<_> = named.iter().filter_map(|path| file(path)).collect();
        imports.remove(module);
        (module.clone(), imports)
    };
    sources.iter().map(imports).collect()
}

fn top(module: &str) -> &str {
    module.split('/').next().unwrap()
}

/// The imports that don't go to a lower floor.
fn upward(lib: &str, imports: &Imports) -> Vec<String> {
    let floors = floors(lib);
    let floor = |module: &str| floors.iter().position(|floor| floor.contains(&top(module)));
    let mut wrong = Vec::new();
    for (from, all) in imports.iter().filter(|(from, _)| *from != "lib") {
        for to in all.iter().filter(|to| top(to) != top(from)) {
            if floor(to) <= floor(from) {
                wrong.push(format!("{from} imports {to}, which is on no lower floor"));
            }
        }
    }
    wrong
}

/// Whether a module is there for tests alone.
fn is_test(module: &str) -> bool {
    let names = ["tests", "properties", "races"];
    module.split('/').any(|part| names.contains(&part))
}

/// Circles among the files of each module.
fn circles(imports: &Imports) -> Vec<String> {
    let next = |from: &str| -> Vec<&str> {
        let parent = from.rsplit_once('/').map_or("", |(parent, _)| parent);
        let within = |to: &&str| top(to) == top(from) && *to != parent && !is_test(to);
        let all = imports[from].iter().map(String::as_str);
        all.filter(within).collect()
    };
    let mut circles = Vec::new();
    for start in imports.keys().filter(|module| !is_test(module)) {
        // The shortest way back to the start.
        let mut ways = vec![vec![start.as_str()]];
        let mut seen = BTreeSet::new();
        while let Some(way) = (!ways.is_empty()).then(|| ways.remove(0)) {
            for to in next(way[way.len() - 1]) {
                let way = [&way[..], &[to]].concat();
                if to == start && way.iter().all(|module| module >= &start.as_str()) {
                    circles.push(way.join(" -> "));
                } else if seen.insert(to) {
                    ways.push(way);
                }
            }
        }
    }
    circles
}

/// A crate of these modules, each with its text.
fn made_up<const N: usize>(modules: [(&str, &str); N]) -> Sources {
    let modules = modules.into_iter();
    modules
        .map(|(module, text)| (module.to_owned(), text.to_owned()))
        .collect()
}

/// The upward imports of a crate of three floors with `text` on the middle one.
fn upward_of(text: &str) -> Vec<String> {
    let lib = "mod high;\n\nmod low;\n\nmod ground;\n";
    let sources = made_up([
        ("lib", lib),
        ("high", ""),
        ("low", ""),
        ("low/child", text),
        ("ground", ""),
    ]);
    upward(lib, &imports(&sources))
}

#[test]
fn upward_imports_are_found() {
    for text in [
        "use crate::high::Thing;",
        "use crate::{ground, high as other};",
        "use crate::{ground::{self, Part}, high::Thing};",
        "fn f() -> crate::high::Thing {}",
        "mod tests {\n    use super::super::high::Thing;\n}",
        "const QUOTE: char = '\"'; use crate::high::Thing; // \"",
    ] {
        assert_eq!(upward_of(text).len(), 1, "{text}");
    }
    for text in [
        "// use crate::high;",
        "use crate::ground;",
        "const A: &str = \"crate::high::A\";",
        "pub(in crate::low) fn f() {}",
    ] {
        assert!(upward_of(text).is_empty(), "{text}");
    }
}

#[test]
fn circles_are_found_but_a_child_may_use_its_parent() {
    let sources = made_up([
        ("lib", "mod top;"),
        ("top", "mod a; mod b; mod c; use a::A; use b::B;"),
        ("top/a", "use super::Part; use super::b::B;"),
        ("top/b", "use crate::top::c::{C, D};"),
        ("top/c", "use super::a::A;"),
    ]);
    assert_eq!(
        circles(&imports(&sources)),
        ["top/a -> top/b -> top/c -> top/a"]
    );
}

#[test]
fn modules_import_only_from_lower_floors() {
    let sources = sources();
    let wrong = upward(&sources["lib"], &imports(&sources));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_is_on_a_floor() {
    let sources = sources();
    let floors = floors(&sources["lib"]);
    assert!(floors.len() > 5);
    for module in sources.keys().filter(|module| *module != "lib") {
        assert!(
            floors.iter().any(|floor| floor.contains(&top(module))),
            "{module}"
        );
    }
}

#[test]
fn files_of_a_module_have_no_circles() {
    let circles = circles(&imports(&sources()));
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}
