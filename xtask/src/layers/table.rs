use super::rules::{Crate, Room, Table};
use crate::text::TextRules;

/// The layers of this workspace, and the rules of its texts.
pub const WORKSPACE: Table = Table {
    tiers: &[
        &[Crate::new("pstate-core").bare_roots().rooms(&[
            Room::new("model"),
            Room::new("runtime"),
            Room::new("storage"),
            Room::new("schema"),
            Room::new("document"),
            // Plain data: what happened, not how.
            Room::new("telemetry").only(&["model", "runtime"]),
            Room::new("preload"),
            Room::new("cache"),
            Room::new("engine"),
            Room::new("background"),
            Room::new("metrics"),
            Room::new("handle"),
        ])],
        &[
            Crate::new("pstate-redis"),
            Crate::new("pstate-sled"),
            Crate::new("pstate-sqlite"),
            Crate::new("pstate-testkit").bare_roots().rooms(&[
                Room::new("settings"),
                Room::new("workload").only(&[]),
                Room::new("redis").only(&[]),
                Room::new("migrations").only(&[]),
                Room::new("counting").only(&[]),
                Room::new("recording").only(&[]),
                Room::new("fault").only(&["recording"]),
                Room::new("history").only(&["recording"]),
                Room::new("conformance").only(&["settings", "recording", "history"]),
            ]),
        ],
        &[Crate::new("pstate")],
        &[Crate::new("pstate-benches")],
        // Builds and checks all others, and uses none.
        &[Crate::new("xtask").only(&[])],
    ],
    texts: &[
        TextRules::new(""),
        TextRules::new("benches"),
        TextRules::new("docs"),
        TextRules::new("examples"),
        TextRules::new("pstate-core"),
        TextRules::new("pstate-core/tests").columns().words(),
        TextRules::new("pstate-redis"),
        TextRules::new("pstate-sled"),
        TextRules::new("pstate-sqlite"),
        TextRules::new("pstate-testkit").columns().words(),
        TextRules::new("src"),
        TextRules::new("tests"),
        TextRules::new("xtask"),
        TextRules::new("pstate-core/src").columns().words(),
    TextRules::new("xtask/src/layers").columns().words(),
        TextRules::new("xtask/src/text").columns().words(),
        TextRules::new("xtask/tests").columns().words(),
        // These two list the words that we replaced.
        TextRules::new("xtask/src/text/words.rs").columns(),
        TextRules::new("xtask/tests/sources/texts.rs").columns(),
    ],
};
