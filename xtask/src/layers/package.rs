use serde_json::Value;

/// A package of the workspace, as far as the checks ask for it.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its directory, from the workspace's root; empty for the root itself.
    pub directory: String,
    /// Its library and its programs.
    pub targets: Vec<Target>,
    /// Its dependencies, outside the workspace too.
    pub dependencies: Vec<Dependency>,
}

/// A library or a program.
#[derive(Debug, Clone)]
pub struct Target {
    /// The file of its root module, from the workspace's root.
    pub root: String,
    /// Whether it is the package's library.
    pub library: bool,
}

/// What a package depends on.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// The name of the other package.
    pub name: String,
    /// Whether only tests, examples and benchmarks have it.
    pub dev: bool,
}

impl Package {
    /// The packages that `cargo metadata` lists.
    ///
    /// # Errors
    /// If something that it always tells is missing.
    pub fn from_metadata(metadata: &Value) -> Result<Vec<Self>, String> {
        let root = text(metadata, "workspace_root")?;
        list(metadata, "packages").map(|package| Self::read(package, root)).collect()
    }

    /// The path of one of its files, from the workspace's root.
    pub(super) fn path(&self, below: &str) -> String {
        if self.directory.is_empty() {
            below.to_owned()
        } else {
            format!("{}/{below}", self.directory)
        }
    }

    fn read(package: &Value, root: &str) -> Result<Self, String> {
        let relative = |path: &str| {
            let path = path.strip_prefix(root).unwrap_or(path);
            path.trim_start_matches(['/', '\\']).replace('\\', "/")
        };
        let manifest = relative(text(package, "manifest_path")?);
        let directory = manifest.strip_suffix("Cargo.toml").unwrap_or(&manifest);
        let mut targets = Vec::new();
        for target in list(package, "targets") {
            let has = |kind: &str| list(target, "kind").any(|other| other == kind);
            let library = has("lib") || has("proc-macro");
            if library || has("bin") {
                let root = relative(text(target, "src_path")?);
                targets.push(Target { root, library });
            }
        }
        let dependencies = list(package, "dependencies").map(|dependency| {
            let name = text(dependency, "name")?.to_owned();
            Ok(Dependency { name, dev: dependency["kind"] == "dev" })
        });
        Ok(Self {
            name: text(package, "name")?.to_owned(),
            directory: directory.trim_end_matches('/').to_owned(),
            targets,
            dependencies: dependencies.collect::<Result<_, String>>()?,
        })
    }
}

fn text<'a>(value: &'a Value, member: &str) -> Result<&'a str, String> {
    value[member].as_str().ok_or_else(|| format!("cargo metadata has no `{member}`"))
}

fn list<'a>(value: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    value[member].as_array().into_iter().flatten()
}
