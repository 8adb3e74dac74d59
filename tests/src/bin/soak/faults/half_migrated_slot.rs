//! The slot of the documents moves to another primary, and stays half-moved for a while.

use crate::backend::Backend;
use crate::fault::Fault;
use crate::round::Round;

pub(crate) struct HalfMigratedSlot;

impl Fault for HalfMigratedSlot {
    fn name(&self) -> &'static str {
        "half-migrated-slot"
    }

    fn backend(&self) -> Backend {
        Backend::Cluster
    }

    fn inject(&self, round: &mut Round) -> Result<(), String> {
        for _ in 0..2 {
            round.pause(50..300);
            let cluster = round.place.cluster.as_ref().ok_or("a round without a cluster")?;
            let key = cluster.servers().iter().find_map(|server| {
                let keys = server.command(&["KEYS", "*card:[0-9]"]);
                keys.list().first().map(|key| key.text().to_owned())
            });
            let key = key.ok_or("the servers hold no documents")?;
            let slot = cluster.servers()[0].try_command(&["CLUSTER", "KEYSLOT", &key]);
            let slot = match slot {
                Ok(pstate_testkit::redis::Reply::Number(slot)) => u16::try_from(slot).ok(),
                _ => None,
            };
            let slot = slot.ok_or("no slot of a document")?;
            let to = (cluster.holder(slot) + 1) % 3;
            cluster.begin_migration(slot, to);
            cluster.migrate_keys(slot, to, 5);
            round.count();
            round.pause(100..500);
            let cluster = round.place.cluster.as_ref().ok_or("a round without a cluster")?;
            while cluster.migrate_keys(slot, to, 100) > 0 {}
            cluster.end_migration(slot, to);
        }
        round.pause(200..500);
        Ok(())
    }
}
