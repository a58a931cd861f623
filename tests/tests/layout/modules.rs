//! Which modules of a package import which, by their text. Lives here: finding those that import each other. Must not: what is allowed.
//!
//! A reference is any path that begins with `crate`, `super` or `self`, in a `use` or elsewhere. It belongs to the deepest module that it
//! names; what a parent hands out belongs to the parent. Parent and child may know each other, siblings only one way: so each reference
//! is an edge between the two siblings under which its ends lie.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::text;

type Name = Vec<String>;

/// The modules of one package, each by its tokens.
#[derive(Default)]
pub(crate) struct Modules(BTreeMap<Name, Vec<String>>);

/// That one sibling imports another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    /// The module that says so, and what it names.
    example: String,
}

impl Modules {
    /// Those of the package whose sources are in `folder`, without its tests and binaries.
    pub(crate) fn read(folder: &Path, files: &[std::path::PathBuf]) -> Self {
        let mut modules = Self::default();
        for file in files {
            let Ok(inside) = file.strip_prefix(folder) else {
                continue;
            };
            let name = inside.with_extension("");
            let name: Name = name
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            let is_test = name.iter().any(|part| part == "tests" || part == "testing");
            if !is_test && name[0] != "main" && name[0] != "bin" {
                let content = fs::read_to_string(file).expect("source is UTF-8");
                modules.add(if name == ["lib"] { Name::new() } else { name }, &content);
            }
        }
        modules
    }

    pub(crate) fn add(&mut self, name: Name, content: &str) {
        self.0.insert(name, tokens(&text::of_production(content)));
    }

    /// What lies on a cycle, or between two, sibling by sibling.
    pub(crate) fn cycles(&self) -> Vec<Edge> {
        let mut all = BTreeMap::<Name, BTreeMap<(String, String), String>>::new();
        for (module, tokens) in &self.0 {
            for path in references(module, tokens) {
                let target = self.deepest(&path);
                let shared = module.iter().zip(&target).take_while(|(a, b)| a == b).count();
                if let (Some(from), Some(to)) = (module.get(shared), target.get(shared)) {
                    let siblings = all.entry(module[..shared].to_vec()).or_default();
                    let example = format!("{} names {}", module.join("::"), path.join("::"));
                    siblings.insert((from.clone(), to.clone()), example);
                }
            }
        }
        let named = |parent: &Name, child: &String| {
            [parent.as_slice(), std::slice::from_ref(child)]
                .concat()
                .join("::")
        };
        let edges = |(parent, siblings): (Name, BTreeMap<(String, String), String>)| {
            let left = pruned(siblings.keys().cloned().collect());
            left.into_iter()
                .map(move |edge| Edge {
                    from: named(&parent, &edge.0),
                    to: named(&parent, &edge.1),
                    example: siblings[&edge].clone(),
                })
                .collect::<Vec<_>>()
        };
        all.into_iter().flat_map(edges).collect()
    }

    fn deepest(&self, path: &Name) -> Name {
        let lengths = (0..=path.len()).rev();
        let mut prefixes = lengths.map(|length| path[..length].to_vec());
        prefixes
            .find(|prefix| self.0.contains_key(prefix))
            .unwrap_or_default()
    }
}

/// Without edges that begin where none ends, and those that end where none begins, until there are no such.
fn pruned(mut edges: BTreeSet<(String, String)>) -> BTreeSet<(String, String)> {
    loop {
        let before = edges.len();
        let begins: BTreeSet<_> = edges.iter().map(|(from, _)| from.clone()).collect();
        let ends: BTreeSet<_> = edges.iter().map(|(_, to)| to.clone()).collect();
        edges.retain(|(from, to)| ends.contains(from) && begins.contains(to));
        if edges.len() == before {
            return edges;
        }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_')
}

/// Words, `::`, and every other sign by itself.
fn tokens(content: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = content.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let length = match word.unwrap_or(rest.len()) {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            length => length,
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

/// What a module names, from the package's root.
fn references(module: &Name, tokens: &[String]) -> Vec<Name> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = ["crate", "super", "self"].contains(&tokens[at].as_str());
        if begins && tokens.get(at + 1).is_some_and(|next| next == "::") {
            let mut paths = Vec::new();
            at = follow(tokens, at, &[], &mut paths);
            found.extend(paths.iter().map(|path| absolute(module, path)));
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path, or a tree of them in braces, and returns where it ends.
fn follow(tokens: &[String], at: usize, before: &[String], found: &mut Vec<Name>) -> usize {
    let token = |at: usize| tokens.get(at).map_or("}", String::as_str);
    if token(at) == "{" {
        let mut at = at + 1;
        while token(at) != "}" {
            at = if is_word(token(at)) || token(at) == "{" {
                follow(tokens, at, before, found)
            } else {
                at + 1
            };
        }
        return at + 1;
    }
    let path = [before, &[token(at).to_owned()]].concat();
    let goes_on = token(at + 1) == "::" && (is_word(token(at + 2)) || token(at + 2) == "{");
    if goes_on {
        return follow(tokens, at + 2, &path, found);
    }
    found.push(path);
    at + 1
}

fn absolute(module: &Name, path: &[String]) -> Name {
    let mut base = if path[0] == "crate" {
        Name::new()
    } else {
        module.clone()
    };
    for part in path {
        match part.as_str() {
            "crate" | "self" => {}
            "super" => drop(base.pop()),
            _ => base.push(part.clone()),
        }
    }
    base
}
