use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

/// Directories that hold nothing of ours.
const SKIPPED: [&str; 2] = [".git", "target"];

/// The kinds of files that a check reads.
const READ: [&str; 3] = ["md", "rs", "toml"];

/// The workspace's files: the texts of those that a check reads, the paths of all. Paths start at
/// the workspace's root and are separated by `/`.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    texts: BTreeMap<String, String>,
    paths: BTreeSet<String>,
}

impl Sources {
    /// Reads a directory with all that is below it.
    ///
    /// # Errors
    /// If a directory or a text cannot be read; the message names it.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut sources = Self::default();
        sources.read_directory(root, "")?;
        Ok(sources)
    }

    /// The given texts, by path.
    pub fn of(texts: &[(&str, &str)]) -> Self {
        let mut sources = Self::default();
        for (path, text) in texts {
            sources.texts.insert((*path).to_owned(), (*text).to_owned());
            for (end, _) in path.match_indices('/') {
                sources.paths.insert(path[..end].to_owned());
            }
            sources.paths.insert((*path).to_owned());
        }
        sources
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// The texts with this extension, sorted by path.
    pub(crate) fn texts(&self, extension: &str) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        texts
            .filter(move |(path, _)| path.rsplit_once('.').is_some_and(|(_, end)| end == extension))
    }

    /// Whether there is such a file or directory.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    fn read_directory(&mut self, directory: &Path, prefix: &str) -> io::Result<()> {
        let failed = |error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", directory.display()))
        };
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if SKIPPED.contains(&name.as_str()) {
                continue;
            }
            let path = format!("{prefix}{name}");
            self.paths.insert(path.clone());
            if entry.file_type().map_err(failed)?.is_dir() {
                self.read_directory(&entry.path(), &format!("{path}/"))?;
            } else if READ.iter().any(|kind| name.ends_with(&format!(".{kind}"))) {
                let text = fs::read_to_string(entry.path());
                let text =
                    text.map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
                self.texts.insert(path, text);
            }
        }
        Ok(())
    }
}
