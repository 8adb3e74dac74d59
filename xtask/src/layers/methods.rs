use std::collections::BTreeMap;

use super::resolve::{Named, resolve};
use super::tree::Tree;

/// The modules that define the associated functions of the crate's own types. An `impl` block may
/// stand in another file than its type, so a function is not always where its type is.
#[derive(Debug, Default)]
pub(super) struct Methods<'a> {
    by_type: BTreeMap<(usize, &'a str), BTreeMap<&'a str, Vec<usize>>>,
}

impl<'a> Methods<'a> {
    pub(super) fn of(tree: &Tree<'a>) -> Self {
        let mut methods = Self::default();
        for (module, inside) in tree.modules.iter().enumerate() {
            for block in &inside.syntax.impls {
                for (owner, name) in types(tree, module, &block.target) {
                    let of_type = methods.by_type.entry((owner, name)).or_default();
                    for method in &block.methods {
                        of_type.entry(method).or_default().push(module);
                    }
                }
            }
        }
        methods
    }

    /// The modules that define a function of the type that a path in a module names, other than the
    /// type's own.
    pub(super) fn elsewhere(
        &self,
        tree: &Tree<'_>,
        module: usize,
        path: &[String],
        method: &str,
    ) -> Vec<usize> {
        let mut found = Vec::new();
        for (owner, name) in types(tree, module, path) {
            let of_type = self.by_type.get(&(owner, name));
            let modules = of_type.and_then(|of_type| of_type.get(method)).into_iter().flatten();
            found.extend(modules.copied().filter(|module| *module != owner));
        }
        found
    }
}

/// The types that a path in a module names, each by the module that defines it and its name.
fn types<'p>(tree: &Tree<'_>, module: usize, path: &'p [String]) -> Vec<(usize, &'p str)> {
    let Some(name) = path.last() else { return Vec::new() };
    let named = resolve(tree, module, path).into_iter().filter_map(|named| match named {
        Named::Item(owner) => Some((owner, name.as_str())),
        Named::Module(_) => None,
    });
    named.collect()
}
