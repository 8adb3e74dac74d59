use super::tree::Tree;
use crate::finding::Finding;

/// Files with child modules that hold more than `mod` and `use`. The root of a crate is exempt.
pub(super) fn check(tree: &Tree<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for module in &tree.modules {
        let has_files = module.syntax.children.iter().any(|child| {
            let index = module.children.get(child.name.as_str());
            index.is_some_and(|index| tree.modules[*index].file != module.file)
        });
        let Some(first) = module.syntax.items.first() else { continue };
        if module.parent.is_none() || !has_files {
            continue;
        }
        let held = module.syntax.items.iter().map(|item| match &item.name {
            Some(name) => format!("{} {name}", item.keyword),
            None => item.keyword.to_owned(),
        });
        let held: Vec<String> = held.collect();
        let message = format!(
            "a file with child modules holds only `mod` and `use`; this one holds {}",
            held.join(", ")
        );
        findings.push(Finding::new(&module.file, first.line, message));
    }
    findings
}
