use std::collections::{BTreeMap, BTreeSet};

use super::package::Target;
use super::syntax::{Child, Syntax};
use crate::finding::Finding;

/// The modules of one library or program, without those that only tests compile.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    /// The root first.
    pub(super) modules: Vec<Module<'a>>,
    /// All files that belong to it, those of tests too.
    pub(super) files: BTreeSet<String>,
    /// Macros that are reached from the root, and the modules that define them.
    pub(super) exported_macros: Vec<(&'a str, usize)>,
    /// Modules without a file.
    pub(super) findings: Vec<Finding>,
}

#[derive(Debug)]
pub(super) struct Module<'a> {
    pub(super) name: &'a str,
    pub(super) parent: Option<usize>,
    pub(super) file: String,
    /// The line of its `mod` item, in its parent's file.
    pub(super) declared: usize,
    pub(super) syntax: &'a Syntax,
    pub(super) children: BTreeMap<&'a str, usize>,
    /// Where the files of its children are.
    directory: String,
}

impl<'a> Tree<'a> {
    /// The modules that are reached from a target's root.
    pub(super) fn of(target: &Target, files: &'a BTreeMap<String, Syntax>) -> Self {
        let mut tree = Self {
            modules: Vec::new(),
            files: BTreeSet::from([target.root.clone()]),
            exported_macros: Vec::new(),
            findings: Vec::new(),
        };
        if let Some(syntax) = files.get(&target.root) {
            tree.modules.push(Module {
                name: "crate",
                parent: None,
                file: target.root.clone(),
                declared: 1,
                syntax,
                children: BTreeMap::new(),
                directory: directory(&target.root).to_owned(),
            });
            tree.add_children(0, files);
        }
        tree
    }

    /// The name of the module at the root that a module is in; none for the root itself.
    pub(super) fn room(&self, module: usize) -> Option<&'a str> {
        let mut room = None;
        let mut at = module;
        while let Some(parent) = self.modules[at].parent {
            room = Some(self.modules[at].name);
            at = parent;
        }
        room
    }

    /// Whether a module is below another one.
    pub(super) fn is_below(&self, module: usize, above: usize) -> bool {
        let mut parent = self.modules[module].parent;
        while let Some(at) = parent {
            if at == above {
                return true;
            }
            parent = self.modules[at].parent;
        }
        false
    }

    fn add_children(&mut self, parent: usize, files: &'a BTreeMap<String, Syntax>) {
        let syntax = self.modules[parent].syntax;
        for item in &syntax.items {
            if let (true, Some(name)) = (item.exported, &item.name) {
                self.exported_macros.push((name, parent));
            }
        }
        for child in &syntax.children {
            let above = &self.modules[parent];
            let (directory, parent_file) = (above.directory.clone(), above.file.clone());
            if child.test_only {
                self.skip(&directory, &parent_file, child, files);
                continue;
            }
            let found = match &child.body {
                Some(body) => {
                    let inner = format!("{directory}{}/", child.name);
                    Some((parent_file.clone(), body, inner))
                }
                None => find(&directory, &parent_file, child, files),
            };
            let Some((file, syntax, directory)) = found else {
                let message = format!("module {} has no file", child.name);
                self.findings.push(Finding::new(&parent_file, child.line, message));
                continue;
            };
            self.files.insert(file.clone());
            self.modules.push(Module {
                name: &child.name,
                parent: Some(parent),
                file,
                declared: child.line,
                syntax,
                children: BTreeMap::new(),
                directory,
            });
            let index = self.modules.len() - 1;
            self.modules[parent].children.insert(&child.name, index);
            self.add_children(index, files);
        }
    }

    /// Notes the files of a module that only tests compile.
    fn skip(
        &mut self,
        directory: &str,
        file: &str,
        child: &Child,
        files: &BTreeMap<String, Syntax>,
    ) {
        let Some((file, syntax, inner)) = find(directory, file, child, files) else { return };
        for child in &syntax.children {
            self.skip(&inner, &file, child, files);
        }
        self.files.insert(file);
    }
}

/// The file of a module, what it says, and where the files of its children are.
fn find<'a>(
    directory: &str,
    parent: &str,
    child: &Child,
    files: &'a BTreeMap<String, Syntax>,
) -> Option<(String, &'a Syntax, String)> {
    let name = &child.name;
    let inner = format!("{directory}{name}/");
    let candidates = match &child.path {
        Some(path) => {
            let file = format!("{}{path}", self::directory(parent));
            let inner = self::directory(&file).to_owned();
            vec![(file, inner)]
        }
        None => vec![
            (format!("{directory}{name}.rs"), inner.clone()),
            (format!("{inner}mod.rs"), inner),
        ],
    };
    candidates.into_iter().find_map(|(file, inner)| {
        let syntax = files.get(&file)?;
        Some((file, syntax, inner))
    })
}

/// The directory of a file, with the last `/`.
fn directory(file: &str) -> &str {
    &file[..file.rfind('/').map_or(0, |end| end + 1)]
}
