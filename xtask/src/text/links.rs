use crate::finding::Finding;
use crate::sources::Sources;

/// Links of Markdown documents to files that do not exist.
pub(super) fn check(sources: &Sources) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in sources.texts("md") {
        for (line, target) in targets(text) {
            let Some(path) = path(file, target) else { continue };
            if !path.as_ref().is_some_and(|path| path.is_empty() || sources.contains(path)) {
                let message = format!("the link to {target} leads to no file");
                findings.push(Finding::new(file, line, message));
            }
        }
    }
    findings
}

/// The targets of links, with their lines; not those in code.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut targets = Vec::new();
    let mut fence = None;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let marks = ["```", "~~~"].into_iter().find(|marks| trimmed.starts_with(marks));
        if let Some(marks) = marks {
            fence = match fence {
                None => Some(marks),
                Some(open) if open == marks => None,
                open => open,
            };
        } else if fence.is_none() {
            targets.extend(of_line(line).into_iter().map(|target| (index + 1, target)));
        }
    }
    targets
}

fn of_line(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    if line.starts_with('[')
        && let Some((_, target)) = line.split_once("]: ")
    {
        targets.push(target);
    }
    let mut rest = line;
    while let Some(found) = rest.find(['`', ']']) {
        let after = &rest[found + 1..];
        rest = if rest[found..].starts_with('`') {
            let run = 1 + after.len() - after.trim_start_matches('`').len();
            let code = &rest[found + run..];
            code.find(&"`".repeat(run)).map_or("", |end| &code[end + run..])
        } else if let Some(target) = after.strip_prefix('(') {
            let end = target.find(')').unwrap_or(target.len());
            targets.push(&target[..end]);
            &target[end..]
        } else {
            after
        };
    }
    // A title may follow the target.
    let words = targets.into_iter().filter_map(|target| target.split_whitespace().next());
    words.map(|target| target.trim_start_matches('<').trim_end_matches('>')).collect()
}

/// The path that a target means; `Some(None)` if it leads out of the workspace, nothing if it is no
/// path: an address, a place in the same document, or an item's name for rustdoc.
fn path(file: &str, target: &str) -> Option<Option<String>> {
    let path = target.split(['#', '?']).next().filter(|path| !path.is_empty())?;
    let scheme = path.split_once(':').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| !scheme.contains('/')) {
        return None;
    }
    let (directory, path) = match path.strip_prefix('/') {
        Some(path) => ("", path),
        None => (file.rsplit_once('/').map_or("", |(directory, _)| directory), path),
    };
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Some(None);
                }
            }
            part => parts.push(part),
        }
    }
    Some(Some(parts.join("/")))
}
