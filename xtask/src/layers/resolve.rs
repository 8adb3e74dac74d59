use super::syntax::{Brings, Import};
use super::tree::Tree;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Module(usize),
    /// Something that a module defines.
    Item(usize),
}

impl Named {
    pub(super) fn module(self) -> usize {
        match self {
            Self::Module(module) | Self::Item(module) => module,
        }
    }
}

/// Who looks up a name in a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Viewer {
    /// The module itself sees all that it imports.
    Itself,
    /// Others see what it re-exports. A name that it imports for itself counts as its own.
    Others,
}

/// Modules and names whose look-up is under way: re-exports may lead in a circle.
type Pending<'p> = Vec<(usize, &'p str)>;

/// What a path in a module names, followed through re-exports as far as it can be; more than one
/// where a name has several meanings (a module and a function, or one for each feature). Nothing
/// for a path that leads out of the crate.
pub(super) fn resolve(tree: &Tree<'_>, module: usize, path: &[String]) -> Vec<Named> {
    follow(tree, module, path, &mut Vec::new())
}

fn follow<'p>(
    tree: &'p Tree<'_>,
    module: usize,
    path: &'p [String],
    pending: &mut Pending<'p>,
) -> Vec<Named> {
    let Some((head, mut rest)) = path.split_first() else { return Vec::new() };
    let mut found = match head.as_str() {
        "crate" => vec![Named::Module(0)],
        "self" => vec![Named::Module(module)],
        "super" => {
            let mut at = tree.modules[module].parent.unwrap_or(0);
            while let Some(("super", more)) =
                rest.split_first().map(|(next, more)| (next.as_str(), more))
            {
                at = tree.modules[at].parent.unwrap_or(0);
                rest = more;
            }
            vec![Named::Module(at)]
        }
        name => look_up(tree, module, name, Viewer::Itself, pending),
    };
    for name in rest {
        // Only a module, or else a type, can be followed by `::`.
        if found.iter().any(|named| matches!(named, Named::Module(_))) {
            found.retain(|named| matches!(named, Named::Module(_)));
        }
        let mut next = Vec::new();
        for named in found {
            match named {
                Named::Item(_) => next.push(named),
                Named::Module(inside) => {
                    let viewer = if inside == module { Viewer::Itself } else { Viewer::Others };
                    let names = look_up(tree, inside, name, viewer, pending);
                    if names.is_empty() {
                        next.push(Named::Item(inside));
                    }
                    next.extend(names);
                }
            }
        }
        found = next;
    }
    found.dedup();
    found
}

fn look_up<'p>(
    tree: &'p Tree<'_>,
    module: usize,
    name: &'p str,
    viewer: Viewer,
    pending: &mut Pending<'p>,
) -> Vec<Named> {
    if pending.contains(&(module, name)) {
        return Vec::new();
    }
    pending.push((module, name));
    let found = names(tree, module, name, viewer, pending);
    pending.pop();
    found
}

fn names<'p>(
    tree: &'p Tree<'_>,
    module: usize,
    name: &'p str,
    viewer: Viewer,
    pending: &mut Pending<'p>,
) -> Vec<Named> {
    let inside = &tree.modules[module];
    let visible = |import: &&Import| viewer == Viewer::Itself || import.is_reexport;
    let mut found: Vec<Named> =
        inside.children.get(name).map(|child| Named::Module(*child)).into_iter().collect();
    if inside.syntax.items.iter().any(|item| item.name.as_deref() == Some(name)) {
        found.push(Named::Item(module));
    }
    for import in inside.syntax.imports.iter().filter(visible) {
        if matches!(&import.brings, Brings::Name(brought) if brought == name) {
            found.extend(follow(tree, module, &import.segments, pending));
        }
    }
    if !found.is_empty() {
        return found;
    }
    for import in inside.syntax.imports.iter().filter(visible) {
        if import.brings == Brings::All {
            for named in follow(tree, module, &import.segments, pending) {
                if let Named::Module(source) = named {
                    found.extend(look_up(tree, source, name, Viewer::Others, pending));
                }
            }
        }
    }
    if found.is_empty() && module == 0 {
        let macros = tree.exported_macros.iter().filter(|(exported, _)| *exported == name);
        found.extend(macros.map(|(_, module)| Named::Item(*module)));
    }
    found
}
