use std::path::PathBuf;

use serde_json::Value;

/// A document at an older version.
#[derive(Debug, Clone)]
pub(super) struct OldDocument {
    pub(super) entity_type: String,
    pub(super) version: u32,
    pub(super) name: String,
    pub(super) document: Value,
    /// The golden file with the expected result; `None` if the test does not expect a certain one.
    pub(super) expected: Option<PathBuf>,
}

impl OldDocument {
    /// The name of the document in failures.
    pub(super) fn label(&self) -> String {
        format!("{} version {} ({})", self.entity_type, self.version, self.name)
    }
}
