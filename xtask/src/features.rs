//! Every feature has to build without the others.

use serde_json::Value;

use crate::cargo::{Failed, cargo, metadata};

/// All that add something. Not all that there are: the model checker's replaces the runtime.
pub(crate) const ADDITIVE: &str = "pstate-tests/metrics,pstate-tests/redis-cluster,pstate-tests/redis-tls,\
                                   pstate-tests/sled,pstate-redis/cluster,pstate-redis/tls,pstate-benches/moving";

pub(crate) fn check_each_alone() -> Result<(), Failed> {
    let metadata = metadata(false)?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let features = package["features"].as_object().into_iter().flat_map(|map| map.keys());
        let features: Vec<&String> = features.filter(|feature| *feature != "default").collect();
        if features.is_empty() {
            continue;
        }
        let alone = ["clippy", "--package", name, "--lib", "--no-default-features"];
        cargo(alone.into_iter().chain(["--", "-D", "warnings"]))?;
        for feature in features {
            let with = ["--features", feature, "--", "-D", "warnings"];
            cargo(alone.into_iter().chain(with))?;
        }
    }
    let Value::Array(packages) = &metadata["packages"] else { return Ok(()) };
    println!("{} packages, each feature alone: ok", packages.len());
    Ok(())
}
