//! Documents in files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::old_document::OldDocument;

/// Reads the documents of a directory: `<type>/v<version>/<name>.json`.
pub(super) fn read(directory: &Path) -> Result<Vec<OldDocument>, String> {
    let mut documents = Vec::new();
    for of_type in entries(directory)? {
        let entity_type = file_name(&of_type);
        for of_version in entries(&of_type)? {
            let version = file_name(&of_version).strip_prefix('v').and_then(|v| v.parse().ok());
            let Some(version) = version else {
                return Err(format!("{}: no version, like v1", of_version.display()));
            };
            for path in entries(&of_version)? {
                let file = file_name(&path);
                let Some(name) =
                    file.strip_suffix(".json").filter(|name| !name.ends_with(".expected"))
                else {
                    continue;
                };
                documents.push(OldDocument {
                    entity_type: entity_type.clone(),
                    version,
                    name: path.display().to_string(),
                    document: read_one(&path)?,
                    expected: Some(path.with_file_name(format!("{name}.expected.json"))),
                });
            }
        }
    }
    Ok(documents)
}

pub(super) fn read_one(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| {
        format!("{}: {error}; set PSTATE_UPDATE_GOLDEN=1 to write expected results", path.display())
    })?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

pub(super) fn write(path: &Path, document: &Value) -> Result<(), String> {
    let text = format!("{document:#}\n");
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let paths = fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>());
    let mut paths = paths.map_err(|error| format!("{}: {error}", directory.display()))?;
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
