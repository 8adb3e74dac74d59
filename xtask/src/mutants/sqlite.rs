//! The mutations: what is broken, by which edits.

/// One way to break the adapter.
pub(super) struct Mutation {
    pub(super) name: &'static str,
    /// The file below `pstate-sqlite/src`, the text that it has once, and what is there instead.
    pub(super) edits: &'static [(&'static str, &'static str, &'static str)],
    /// Why a suite cannot find it, if that is so.
    pub(super) why_not: Option<&'static str>,
}

const TABLE: &str = "layout/table.rs";
const TRANSACTION: &str = "writer/transaction.rs";
const GROUP: &str = "writer/group.rs";
const SCAN: &str = "scan.rs";

pub(super) const MUTATIONS: &[Mutation] = &[
    mutation(
        "reads a key in any space",
        &[(
            TABLE,
            "get: format!(\"SELECT value FROM \\\"{name}\\\" WHERE space = ?1 AND key = ?2\")",
            "get: format!(\"SELECT value FROM \\\"{name}\\\" WHERE ?1 = ?1 AND key = ?2\")",
        )],
    ),
    mutation(
        "reads runs in any space",
        &[(
            TABLE,
            "FROM \\\"{name}\\\" WHERE space = ?1 AND key >= ?2 ORDER BY key\"\n            ),\n            scan_after",
            "FROM \\\"{name}\\\" WHERE ?1 = ?1 AND key >= ?2 ORDER BY key\"\n            ),\n            scan_after",
        )],
    ),
    mutation(
        "scans every space",
        &[(
            TABLE,
            "WHERE space = ?1 AND key {compare} ?2 ORDER BY key",
            "WHERE ?1 = ?1 AND key {compare} ?2 ORDER BY key",
        )],
    ),
    mutation(
        "scans in another order",
        &[(
            TABLE,
            "AND key {compare} ?2 ORDER BY key",
            "AND key {compare} ?2 ORDER BY length(key), key",
        )],
    ),
    mutation(
        "repeats the last key of a page",
        &[(TABLE, "scan_after: scan(\">\")", "scan_after: scan(\">=\")")],
    ),
    mutation(
        "leaves out the first key of a prefix",
        &[(TABLE, "scan_from: scan(\">=\")", "scan_from: scan(\">\")")],
    ),
    mutation(
        "leaves out a page's last record",
        &[(
            SCAN,
            "if page.records.len() == scan.limit.get() {",
            "if page.records.len() + 1 == scan.limit.get() && scan.limit.get() > 1 {",
        )],
    ),
    mutation(
        "ends after the first page",
        &[(
            SCAN,
            "page.next = page.records.last().map(|(key, _)| key.clone());",
            "page.next = None;",
        )],
    ),
    mutation(
        "begins at the prefix, whatever it is after",
        &[(
            SCAN,
            "Some(after) if after.as_str() >= scan.prefix.as_str() => {",
            "Some(after) if after.as_str() >= scan.prefix.as_str() && scan.limit.get() < 50 => {",
        )],
    ),
    mutation(
        "keeps the old value",
        &[(
            TABLE,
            "ON CONFLICT (space, key) DO UPDATE SET value = excluded.value\n                 WHERE \\\"{name}\\\".value IS NOT excluded.value",
            "ON CONFLICT (space, key) DO NOTHING",
        )],
    ),
    mutation(
        "replaces in every space",
        &[(
            TABLE,
            "SET value = ?3 WHERE space = ?1 AND key = ?2\"),\n            replace_revision",
            "SET value = ?3 WHERE ?1 = ?1 AND key = ?2\"),\n            replace_revision",
        )],
    ),
    mutation(
        "swaps in every space",
        &[(
            TABLE,
            "WHERE space = ?1 AND key = ?2 AND {HAS_REVISION}(value, ?4)",
            "WHERE ?1 = ?1 AND key = ?2 AND {HAS_REVISION}(value, ?4)",
        )],
    ),
    mutation(
        "swaps whatever the revision is",
        &[(
            TABLE,
            "AND key = ?2 AND {HAS_REVISION}(value, ?4)",
            "AND key = ?2 AND ({HAS_REVISION}(value, ?4) OR 1)",
        )],
    ),
    mutation(
        "deletes in every space",
        &[(
            TABLE,
            "delete: format!(\"DELETE FROM \\\"{name}\\\" WHERE space = ?1 AND key = ?2\")",
            "delete: format!(\"DELETE FROM \\\"{name}\\\" WHERE ?1 = ?1 AND key = ?2\")",
        )],
    ),
    mutation(
        "lists every other space",
        &[(
            TABLE,
            "next_space: format!(\"SELECT min(space) FROM \\\"{name}\\\" WHERE space > ?1\")",
            "next_space: format!(\"SELECT max(space) FROM \\\"{name}\\\" WHERE space > ?1\")",
        )],
    ),
    mutation(
        "counts the versions of every space",
        &[(
            TABLE,
            "records: format!(\"SELECT key, value FROM \\\"{name}\\\" WHERE space = ?1\")",
            "records: format!(\"SELECT key, value FROM \\\"{name}\\\" WHERE ?1 = ?1\")",
        )],
    ),
    mutation(
        "does a batch if one expectation holds",
        &[(
            TRANSACTION,
            "if holds.iter().all(|&holds| holds) {",
            "if holds.iter().any(|&holds| holds) {",
        )],
    ),
    mutation(
        "writes in spite of a conflict",
        &[(
            TRANSACTION,
            "_ => return Ok(Outcome::Conflict),\n        };\n        applied",
            "_ => self.change(write),\n        };\n        applied",
        )],
    ),
    mutation(
        "creates over a record",
        &[(
            TRANSACTION,
            "            Expect::Any => return Ok(true),\n            Expect::Absent => None,",
            "            Expect::Any | Expect::Absent => return Ok(true),",
        )],
    ),
    mutation(
        "expects a revision of any record",
        &[(TRANSACTION, "Ok(stored == expected)", "Ok(stored.is_some() == expected.is_some())")],
    ),
    mutation(
        "does not delete",
        &[(
            TRANSACTION,
            "self.delete.get(self.connection, &table.delete)?.execute((space, key))?;",
            "",
        )],
    ),
    mutation(
        "commits nothing",
        &[(GROUP, "self.execute(\"COMMIT\")", "self.execute(\"SAVEPOINT late\")")],
    ),
    mutation(
        "commits each group when the next begins",
        &[
            (GROUP, "self.execute(\"COMMIT\")", "self.execute(\"SAVEPOINT late\")"),
            (
                GROUP,
                "if self.connection.is_autocommit() { Ok(()) } else { self.execute(\"ROLLBACK\") }",
                "if self.connection.is_autocommit() { Ok(()) } else { self.execute(\"COMMIT\") }",
            ),
        ],
    ),
    mutation(
        "publishes no change",
        &[(
            GROUP,
            "            if let Ok(outcomes) = &answer {\n                self.hub.publish(request.space(), &request.batch().writes, outcomes);",
            "            if let Ok(_) = &answer {",
        )],
    ),
    mutation(
        "publishes under the default space",
        &[(
            GROUP,
            "self.hub.publish(request.space(), &request.batch().writes, outcomes);",
            "self.hub.publish(&Default::default(), &request.batch().writes, outcomes);",
        )],
    ),
    mutation(
        "does not see what other handles commit",
        &[(
            "changes.rs",
            "if self.last.replace(version) != Some(version) {",
            "if self.last.replace(version).is_none() {",
        )],
    ),
    mutation(
        "reads keys in several snapshots",
        &[
            (
                "multi_get.rs",
                "connection.prepare_cached(\"BEGIN DEFERRED\")?.execute([]).map(drop)",
                "connection.prepare_cached(\"SAVEPOINT one\")?.execute([]).and_then(|_| connection.prepare_cached(\"RELEASE one\")?.execute([])).map(drop)",
            ),
            (
                "multi_get.rs",
                "connection.prepare_cached(\"COMMIT\")?.execute([]).map(drop)",
                "connection.prepare_cached(\"SAVEPOINT one\")?.execute([]).and_then(|_| connection.prepare_cached(\"RELEASE one\")?.execute([])).map(drop)",
            ),
        ],
    ),
    mutation(
        "reads past the row of the next key",
        &[(
            "multi_get.rs",
            "if !is_next || value == ValueRef::Null {",
            "if value == ValueRef::Null {",
        )],
    ),
    mutation(
        "accepts a key twice",
        &[("backend.rs", "        batch.check(&self.capabilities()).map_err(located)?;\n", "")],
    ),
    mutation(
        "writes nothing after close, without an error",
        &[(
            "backend.rs",
            "        self.readers.check_open().map_err(located)?;\n        batch",
            "        batch",
        )],
    ),
    mutation(
        "flushes a closed store",
        &[(
            "backend.rs",
            "self.readers.check_open().map_err(|error| error.in_operation(\"flush\"))",
            "Ok(())",
        )],
    ),
    mutation(
        "stores text that is no UTF-8 as text",
        &[(
            "layout/value.rs",
            "Err(_) => ValueRef::Blob(self.0),",
            "Err(_) => ValueRef::Text(b\"\"),",
        )],
    ),
    Mutation {
        name: "does not wait for the disk",
        edits: &[("config/sqlite_config.rs", "Self::Full => \"FULL\",", "Self::Full => \"OFF\",")],
        why_not: Some("only a power cut shows it, and no program can cause one"),
    },
];

const fn mutation(
    name: &'static str,
    edits: &'static [(&'static str, &'static str, &'static str)],
) -> Mutation {
    Mutation { name, edits, why_not: None }
}
