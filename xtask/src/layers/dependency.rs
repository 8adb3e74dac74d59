use std::collections::BTreeSet;

use super::methods::Methods;
use super::resolve::{Named, resolve};
use super::syntax::{Brings, Import};
use super::tree::Tree;

/// A place in one module that names something in another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dependency {
    pub(super) file: String,
    pub(super) line: usize,
    /// The file that defines what is named.
    pub(super) target: String,
    /// The path, as it is written; of a method, the type and its name.
    pub(super) path: String,
    /// Whether the path begins with an import that leads to the same room.
    pub(super) by_import: bool,
    /// The module at the crate's root that names; none for the root itself.
    pub(super) room: Option<String>,
    /// The module at the crate's root in which the target is.
    pub(super) target_room: Option<String>,
}

/// All dependencies between different files, and between different rooms, of one tree; sorted.
pub(super) fn dependencies(tree: &Tree<'_>) -> Vec<Dependency> {
    let methods = Methods::of(tree);
    let mut found = BTreeSet::new();
    for module in 0..tree.modules.len() {
        let mut finder = Finder { tree, methods: &methods, module, found: &mut found };
        finder.add_all();
    }
    found.into_iter().collect()
}

struct Finder<'a, 't> {
    tree: &'a Tree<'t>,
    methods: &'a Methods<'t>,
    module: usize,
    found: &'a mut BTreeSet<Dependency>,
}

impl Finder<'_, '_> {
    fn add_all(&mut self) {
        let syntax = self.tree.modules[self.module].syntax;
        for import in &syntax.imports {
            let mut named = resolve(self.tree, self.module, &import.segments);
            if import.is_reexport {
                // What a module passes on from below itself is no dependency of its own.
                named.retain(|named| !self.tree.is_below(named.module(), self.module));
            }
            match import.brings {
                Brings::Name(_) => self.add_path(&named, import.line, &import.segments),
                Brings::All => self.add_glob(&named, import),
            }
        }
        for path in &syntax.paths {
            let named = resolve(self.tree, self.module, &path.segments);
            self.add_path(&named, path.line, &path.segments);
            if let Some((method, owner)) = path.segments.split_last() {
                self.add_method(owner, method, path.line);
            }
        }
        for block in &syntax.impls {
            for (method, line) in &block.calls {
                self.add_method(&block.target, method, *line);
            }
        }
    }

    /// A path that begins with an imported name says more than the import does only where it leads
    /// to something else.
    fn add_path(&mut self, named: &[Named], line: usize, path: &[String]) {
        let imports = self.tree.modules[self.module].syntax.imports.iter().filter(|import| {
            matches!(&import.brings, Brings::Name(name) if *name == path[0])
                && import.segments != path
        });
        let imported = imports.flat_map(|import| resolve(self.tree, self.module, &import.segments));
        let imported: Vec<Named> = imported.collect();
        for named in named.iter().filter(|named| !imported.contains(named)) {
            let room = self.tree.room(named.module());
            let by_import = imported.iter().any(|other| self.tree.room(other.module()) == room);
            self.add(named.module(), line, path.join("::"), by_import);
        }
    }

    /// A glob depends on the module itself, and on the files of the names that are used.
    fn add_glob(&mut self, named: &[Named], import: &Import) {
        for named in named {
            self.add(named.module(), import.line, with(&import.segments, "*").join("::"), false);
        }
        let syntax = self.tree.modules[self.module].syntax;
        for (name, line) in &syntax.names {
            let path = with(&import.segments, name);
            for found in resolve(self.tree, self.module, &path) {
                // A name that the module does not have is not from there.
                if !named.contains(&Named::Module(found.module())) {
                    self.add(found.module(), *line, path.join("::"), false);
                }
            }
        }
    }

    /// A method may stand in another file than its type.
    fn add_method(&mut self, owner: &[String], method: &str, line: usize) {
        for module in self.methods.elsewhere(self.tree, self.module, owner, method) {
            self.add(module, line, with(owner, method).join("::"), false);
        }
    }

    fn add(&mut self, target: usize, line: usize, path: String, by_import: bool) {
        let from = &self.tree.modules[self.module];
        let (room, target_room) = (self.tree.room(self.module), self.tree.room(target));
        let target = &self.tree.modules[target];
        if from.file != target.file || room != target_room {
            self.found.insert(Dependency {
                file: from.file.clone(),
                line,
                target: target.file.clone(),
                path,
                by_import,
                room: room.map(str::to_owned),
                target_room: target_room.map(str::to_owned),
            });
        }
    }
}

fn with(path: &[String], name: &str) -> Vec<String> {
    path.iter().cloned().chain([name.to_owned()]).collect()
}
