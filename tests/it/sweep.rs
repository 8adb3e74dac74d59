//! Sweeps: everything is migrated once, and no write of a user meanwhile is undone.

mod resumed;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use pstate::schema::{Entity, NewerDocuments, integer, patterns, string};
use pstate::{
    Adapter, Batch, Error, ErrorKind, JobState, Key, MemoryAdapter, PState, ProblemKind, Scan,
    Schema, Space, Write,
};
use pstate_testkit::{Call, CountingLayer, FaultLayer, Moment};
use serde_json::{Value, json};

use crate::stores::on_each_store;

/// Yesterday a card's rank was text, and it had a `text`; today it is a number, and `front`.
fn schema() -> Schema {
    Schema::new([
        Entity::new("card", 2)
            .field(string("front").required())
            .field(integer("rank").required().migrate(patterns::parse_integer))
            .step(1, 2, patterns::rename("text", "front")),
        Entity::new("deck", 3).step(2, 3, patterns::rename("title", "name")),
    ])
    .unwrap()
}

fn old(rank: usize) -> Value {
    json!({ "$v": 1, "text": format!("card {rank}"), "rank": rank.to_string() })
}

fn new(rank: usize) -> Value {
    json!({ "$v": 2, "front": format!("card {rank}"), "rank": rank })
}

fn key(number: usize) -> String {
    format!("card:{number:04}")
}

/// So many old cards, a deck that is current, and something that the schema doesn't name.
async fn fill(adapter: Arc<dyn Adapter>, cards: usize) {
    let plain = PState::builder(adapter).build().unwrap();
    for number in 0..cards {
        plain.put(key(number), &old(number)).await.unwrap();
    }
    plain.put("deck:1", &json!({ "$v": 3, "name": "Spanish" })).await.unwrap();
    plain.put("other:1", &json!({ "text": "untouched" })).await.unwrap();
}

fn handle(adapter: Arc<dyn Adapter>) -> PState {
    PState::builder(adapter).schema(schema()).build().unwrap()
}

/// What is stored, whatever a schema makes of it.
async fn stored(adapter: &Arc<dyn Adapter>, name: &str) -> Option<Value> {
    let key: Key = name.parse().unwrap();
    let record = adapter.multi_get(&Space::default(), &[key]).await.unwrap().pop().unwrap();
    record.map(|record| serde_json::from_slice(&record.bytes).unwrap())
}

on_each_store! {
    async fn everything_is_migrated_and_stored(store: Store) {
        fill(store.adapter(), 600).await;
        let pstate = handle(store.adapter());
        let status = pstate.migration_status().await.unwrap();
        assert_eq!((status.total(), status.older()), (602, 600));

        let report = pstate.migrate_all().page_size(100).run().await.unwrap();
        assert!(report.finished);
        assert_eq!((report.done, report.stored, report.conflicts, report.failed), (601, 600, 0, 0));
        assert_eq!(report.resumed_after, None);
        for number in [0, 99, 100, 599] {
            assert_eq!(stored(&store.adapter(), &key(number)).await, Some(new(number)));
        }
        assert_eq!(stored(&store.adapter(), "other:1").await.unwrap(), json!({"text": "untouched"}));

        let status = pstate.migration_status().await.unwrap();
        assert_eq!((status.older(), status.newer(), status.stranded()), (0, 0, 0));
        assert_eq!(status.types["card"].versions.get(&2), Some(&600));
        assert_eq!(status.types["other"].declared, None);
        let sweep = status.sweep.unwrap();
        assert!(sweep.finished && !sweep.running);
        assert_eq!((sweep.done, sweep.total), (601, Some(601)));
        // Once more: nothing to do, from the beginning.
        let again = pstate.migrate_all().run().await.unwrap();
        assert_eq!((again.done, again.stored, again.resumed_after), (601, 0, None));
    }

    async fn what_no_sweep_can_read_is_counted_apart_and_what_reads_take_as_current_is(store: Store) {
        let adapter = store.adapter();
        let documents = [
            ("card:cut", r#"{"$v":1,"text":"a","rank"#),
            ("card:followed", r#"{"$v":1,"text":"a","rank":"1"} {}"#),
            ("card:fraction", r#"{"$v":1.0,"text":"a","rank":"1"}"#),
            // The last one counts, as everywhere in JSON.
            ("card:repeated", r#"{"$v":1,"front":"a","rank":1,"$v":2}"#),
            ("card:behind", r#"{"$v":2,"text":"a","rank":"1","$v":1}"#),
        ];
        let writes = documents.map(|(key, text)| Write::put(key.parse().unwrap(), text.as_bytes()));
        adapter.write(&Space::default(), &Batch::each(writes.into())).await.unwrap();
        let pstate = handle(adapter);
        let status = pstate.migration_status().await.unwrap();
        assert_eq!((status.total(), status.older(), status.unreadable), (2, 1, 3));
        assert_eq!(status.first_unreadable.as_deref(), Some("card:cut"));
        assert!(status.to_string().ends_with("3 cannot be read, the first is card:cut\n"), "{status}");

        let report = pstate.migrate_all().run().await.unwrap();
        assert_eq!((report.done, report.stored, report.failed), (5, 1, 3));
        let status = pstate.migration_status().await.unwrap();
        assert_eq!((status.total(), status.older(), status.unreadable), (2, 0, 3));
        // Each is what a read says it is.
        for (key, _) in documents {
            let read = pstate.get(key).await.map(|document| document.unwrap().version());
            let unreadable = ["card:cut", "card:followed", "card:fraction"].contains(&key);
            let expected = if unreadable { Err(ErrorKind::Corrupt) } else { Ok(2) };
            assert_eq!(read.map_err(|error| error.kind()), expected);
        }
    }

    async fn the_notes_of_sweeps_are_not_in_the_way(store: Store) {
        fill(store.adapter(), 3).await;
        let pstate = handle(store.adapter());
        pstate.migrate_all().run().await.unwrap();
        assert_eq!(pstate.spaces().await.unwrap(), [Space::default()]);
        let error = pstate.space("pstate-sweeps").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.message().contains("reserved"), "{error}");
        assert_eq!(pstate.clear_space().await.unwrap(), 5);
    }

    async fn each_space_has_a_sweep_of_its_own(store: Store) {
        let pstate = handle(store.adapter());
        let (red, blue) = (pstate.space("red").unwrap(), pstate.space("blue").unwrap());
        for space in [&red, &blue] {
            space.put_at(1, "card:1", &json!({ "text": "a", "rank": "1" })).await.unwrap();
        }
        assert_eq!(red.migrate_all().run().await.unwrap().stored, 1);
        assert_eq!(blue.migration_status().await.unwrap().older(), 1);
        assert_eq!(blue.migration_status().await.unwrap().sweep, None);
        assert_eq!(blue.migrate_all().run().await.unwrap().stored, 1);
    }

    async fn a_dry_run_says_what_would_happen_and_writes_nothing(store: Store) {
        fill(store.adapter(), 10).await;
        let plain = store.plain();
        plain.put("card:bad", &json!({ "$v": 1, "text": "a", "rank": "many" })).await.unwrap();
        plain.put("card:new", &json!({ "$v": 7 })).await.unwrap();
        let space = Space::default();
        let damaged = Write::put("card:damaged".parse().unwrap(), *b"no JSON");
        store.adapter().write(&space, &Batch::each(vec![damaged])).await.unwrap();
        let pstate = handle(store.adapter());
        let run = pstate.migrate_all().page_size(4).samples(2).lossless(true).dry_run().await.unwrap();

        assert_eq!((run.done, run.unreadable), (14, 1));
        let counts = &run.counts[&("card".to_owned(), 1)];
        assert_eq!((counts.documents, counts.would_change, counts.failed), (11, 10, 1));
        assert_eq!((counts.not_idempotent, counts.lose_members), (0, 0));
        assert_eq!(counts.removed.get("text"), Some(&10));
        assert_eq!(counts.added.get("front"), Some(&10));
        assert_eq!(counts.changed.get("rank"), Some(&10));
        assert_eq!(run.counts[&("card".to_owned(), 7)].newer, 1);
        assert_eq!(run.counts[&("deck".to_owned(), 3)].would_change, 0);
        assert_eq!(run.samples.len(), 2);
        let differences: Vec<_> = run.samples[0].differences.iter().map(ToString::to_string).collect();
        assert_eq!(
            differences,
            [r#".front: nothing -> "card 0""#, r#".rank: "0" -> 0"#, r#".text: "card 0" -> nothing"#]
        );
        let mut problems: Vec<_> =
            run.problems.iter().map(|problem| (problem.key.clone().unwrap().to_string(), problem.kind)).collect();
        problems.sort_by_key(|(key, _)| key.clone());
        assert_eq!(
            problems,
            [
                ("card:bad".to_owned(), ProblemKind::Fails),
                ("card:damaged".to_owned(), ProblemKind::Unreadable),
            ]
        );
        assert!(run.to_string().contains("card version 1: 11, of which 10 would change and 1 fail"), "{run}");
        assert_eq!(pstate.migration_status().await.unwrap().sweep, None);
        assert_eq!(stored(&store.adapter(), &key(3)).await, Some(old(3)));
    }

    async fn a_dry_run_finds_field_migrations_that_are_not_idempotent_and_lost_members(store: Store) {
        let schema = Schema::new([
            Entity::new("card", 3)
                // Dropped, it is missing, which the next version takes for something else.
                .field(integer("rank").migrate(|old| Ok(old.value.is_none().then(|| json!(0)))))
                .field(integer("hits").migrate(|old| match old.value {
                    Some(Value::String(text)) if text.is_empty() => Ok(None),
                    _ => Err("no hits".into()),
                })),
            Entity::new("deck", 2).step(1, 2, |deck| {
                deck.remove("owner");
                Ok(())
            }),
        ])
        .unwrap();
        let pstate = store.builder().schema(schema).build().unwrap();
        pstate.put_at(1, "card:1", &json!({ "rank": "none", "hits": 1 })).await.unwrap();
        pstate.put_at(1, "card:2", &json!({ "rank": 1, "hits": "" })).await.unwrap();
        pstate.put_at(1, "deck:1", &json!({ "owner": "ada", "name": "x" })).await.unwrap();
        let run = pstate.migrate_all().lossless(true).dry_run().await.unwrap();
        let problems: Vec<_> =
            run.problems.iter().map(|problem| (problem.kind, problem.reason.as_str())).collect();
        assert_eq!(
            problems,
            [
                (
                    ProblemKind::NotIdempotent,
                    "a field's migration, run again, changes its own result"
                ),
                (ProblemKind::LosesMembers, "rank"),
                (
                    ProblemKind::NotIdempotent,
                    "run again on its own result, from version 1 to 3: migration of field `hits`: no hits"
                ),
                (ProblemKind::LosesMembers, "hits"),
                (ProblemKind::LosesMembers, "owner"),
            ]
        );
        let run = pstate.migrate_all().dry_run().await.unwrap();
        assert_eq!(run.problems.len(), 2);
    }

    async fn a_dry_run_has_nothing_against_steps_that_run_once(store: Store) {
        let counted = |card: &mut pstate::Object| {
            let seen = card.get("seen").and_then(Value::as_u64).unwrap_or(0);
            card.insert("seen".into(), json!(seen + 1));
            Ok(())
        };
        let in_seconds = |card: &mut pstate::Object| {
            let due = card.get("due").and_then(Value::as_u64).ok_or("no due date")?;
            card.insert("due".into(), json!(due / 1_000));
            Ok(())
        };
        let card = Entity::new("card", 3).field(integer("due").required());
        let schema = Schema::new([card.step(1, 2, counted).step(2, 3, in_seconds)]).unwrap();
        let pstate = store.builder().schema(schema).build().unwrap();
        for version in [1, 2] {
            let card = json!({ "due": 1_700_000_000_000_u64, "seen": 1 });
            pstate.put_at(version, format!("card:{version}"), &card).await.unwrap();
        }
        let run = pstate.migrate_all().lossless(true).dry_run().await.unwrap();
        assert_eq!((run.done, run.problems.len()), (2, 0), "{run}");
        let report = pstate.migrate_all().run().await.unwrap();
        assert_eq!((report.stored, report.failed), (2, 0));
    }

    async fn failures_are_collected_or_stop_it(store: Store) {
        fill(store.adapter(), 30).await;
        let plain = store.plain();
        for number in [4, 17, 18] {
            let bad = json!({ "$v": 1, "text": "a", "rank": "many" });
            plain.put(key(number), &bad).await.unwrap();
        }
        let pstate = handle(store.adapter());
        let sweep = || pstate.migrate_all().page_size(10);
        let error = sweep().stop_on_failure(true).run().await.unwrap_err();
        assert_eq!((error.kind(), error.key().unwrap().as_str()), (ErrorKind::Schema, key(4).as_str()));
        assert_eq!(error.operation(), Some("migrate_all"));
        assert!(!pstate.migration_status().await.unwrap().sweep.unwrap().running);

        let report = sweep().keep_failures(2).run().await.unwrap();
        assert_eq!((report.done, report.stored, report.failed), (31, 18, 3));
        let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
        assert_eq!(failures.len(), 2);
        assert!(failures[0].starts_with("card:0004: ") && failures[0].contains("rank"), "{failures:?}");
        assert!(failures[1].starts_with("card:0017: "), "{failures:?}");

        plain.put(key(4), &old(4)).await.unwrap();
        let error = sweep().stop_on_failure(true).run().await.unwrap_err();
        assert_eq!(error.key().unwrap().as_str(), key(17));
        for number in [17, 18] {
            plain.put(key(number), &old(number)).await.unwrap();
        }
        // It goes on with the page in which it has stopped.
        let report = sweep().stop_on_failure(true).run().await.unwrap();
        assert_eq!(report.resumed_after.unwrap().as_str(), key(9));
        assert_eq!((report.done, report.done_before, report.failed), (31, 10, 0));
        assert_eq!(pstate.migration_status().await.unwrap().older(), 0);
    }

    async fn newer_documents_are_left_alone(store: Store) {
        let newer = r#"{"$v":9,"front":1}"#;
        let put = Write::put("card:1".parse().unwrap(), newer.as_bytes());
        store.adapter().write(&Space::default(), &Batch::each(vec![put])).await.unwrap();
        for option in [NewerDocuments::Pass, NewerDocuments::Refuse] {
            let schema = schema().newer_documents(option);
            let pstate = store.builder().schema(schema).build().unwrap();
            let report = pstate.migrate_all().run().await.unwrap();
            assert_eq!((report.done, report.newer, report.stored, report.failed), (1, 1, 0, 0));
            assert_eq!(pstate.migration_status().await.unwrap().newer(), 1);
        }
        assert_eq!(stored(&store.adapter(), "card:1").await.unwrap().to_string(), newer);
    }

    async fn the_gate_refuses_documents_that_no_step_is_kept_for(store: Store) {
        let schema = || Schema::new([Entity::new("card", 4).step(3, 4, |_| Ok(()))]).unwrap();
        let plain = store.plain();
        for (space, version) in [("default", 1), ("default", 1), ("acme", 2), ("acme", 3), ("acme", 4)] {
            let space = plain.space(space).unwrap();
            let id = format!("card:{version}-{}", fastrand::u64(..));
            space.put_at(version, id, &json!({})).await.unwrap();
        }
        let gated = || store.builder().schema(schema()).build_if_readable();
        let error = gated().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        let text = error.to_string();
        for part in ["2 of `card` at version 1 in space default", "1 of `card` at version 2 in space acme",
            "begins at version 3", "migrate_all"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let status = store.builder().schema(schema()).build().unwrap().migration_status().await.unwrap();
        assert_eq!((status.stranded(), status.older()), (2, 2));
        assert!(status.to_string().contains("2 of them older than the oldest kept step"), "{status}");

        // What it says to do: a release that still has the steps migrates them.
        let all = Schema::new([Entity::new("card", 3).step(1, 2, |_| Ok(())).step(2, 3, |_| Ok(()))]);
        let earlier = store.builder().schema(all.unwrap()).build().unwrap();
        for space in earlier.spaces().await.unwrap() {
            earlier.space(space.as_str()).unwrap().migrate_all().run().await.unwrap();
        }
        assert!(gated().await.is_ok());
    }
}

struct Setup {
    counting: Arc<CountingLayer>,
    faults: Arc<FaultLayer>,
    adapter: Arc<dyn Adapter>,
}

/// So many old cards in memory, behind layers.
async fn in_memory(cards: usize) -> Setup {
    let memory: Arc<dyn Adapter> = Arc::new(MemoryAdapter::new());
    fill(memory.clone(), cards).await;
    let faults = Arc::new(FaultLayer::new(memory.clone()));
    let counting = Arc::new(CountingLayer::new(faults.clone()));
    Setup { counting, faults, adapter: memory }
}

impl Setup {
    fn handle(&self) -> PState {
        handle(self.counting.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn of_pages_that_are_only_read_every_eighth_is_noted() {
    let setup = in_memory(200).await;
    let pstate = setup.handle();
    pstate.migrate_all().run().await.unwrap();
    setup.counting.take();
    pstate.migrate_all().page_size(10).run().await.unwrap();
    let counts = setup.counting.take();
    // Twenty pages of cards and the deck's; the lease is taken and given back.
    assert_eq!((counts.scans, counts.writes), (21, 2 + 2));
}

#[tokio::test(start_paused = true)]
async fn a_user_who_writes_between_read_and_write_wins() {
    let setup = in_memory(20).await;
    let pstate = setup.handle();
    let held = setup.faults.hold(Call::Scan, Moment::After);
    let sweep = pstate.migrate_all().page_size(100).start().await.unwrap();
    held.reached().await;
    // Another process, whose writes this handle does not see.
    let other = handle(setup.adapter.clone());
    other.put(key(3), &json!({ "front": "mine", "rank": 1 })).await.unwrap();
    other.delete(key(4)).await.unwrap();
    // And this handle itself.
    pstate.put(key(5), &json!({ "front": "ours", "rank": 2 })).await.unwrap();
    held.release();
    let report = sweep.wait().await.unwrap();
    assert_eq!((report.stored, report.conflicts, report.failed), (17, 3, 0));
    assert_eq!(stored(&setup.adapter, &key(3)).await.unwrap()["front"], "mine");
    assert_eq!(stored(&setup.adapter, &key(4)).await, None);
    assert_eq!(stored(&setup.adapter, &key(5)).await.unwrap()["front"], "ours");
    assert_eq!(
        pstate.get(key(5)).await.unwrap().unwrap().get("front").unwrap(),
        Some(&json!("ours"))
    );
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_kept_and_can_be_changed() {
    let setup = in_memory(1_000).await;
    let pstate = setup.handle();
    let started = tokio::time::Instant::now();
    let sweep = pstate.migrate_all().page_size(100).rate(50).start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    // A page of fifty each second.
    let progress = sweep.changes().next().await.unwrap();
    assert_eq!((progress.done, progress.total), (250, Some(1_001)));
    assert!((49.0..=63.0).contains(&progress.rate), "{progress}");
    let seconds = progress.remaining.unwrap().as_secs();
    assert!((10..=16).contains(&seconds), "{progress}");
    sweep.set_rate(250);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let fast = sweep.progress().done;
    assert!((650..=850).contains(&fast), "{fast}");
    sweep.set_rate(0);
    assert_eq!(sweep.wait().await.unwrap().done, 1_001);
    assert!(started.elapsed() < Duration::from_millis(6_600));
}

#[tokio::test(start_paused = true)]
async fn it_pauses_resumes_and_keeps_its_lease_meanwhile() {
    let setup = in_memory(1_000).await;
    let pstate = setup.handle();
    let sweep = pstate.migrate_all().page_size(10).rate(10).start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    sweep.pause();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let paused = sweep.progress();
    assert_eq!(paused.state, JobState::Paused);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(sweep.progress().done, paused.done);
    // An hour later nobody else gets the space.
    let other = handle(setup.adapter.clone());
    let error = other.migrate_all().start().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Conflict, true));
    assert!(
        error.message().contains("another sweep of this space is running: 30 documents done"),
        "{error}"
    );
    sweep.set_rate(0);
    sweep.resume();
    assert_eq!(sweep.wait().await.unwrap().stored, 1_000);
    assert_eq!(other.migrate_all().run().await.unwrap().stored, 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_stopped_goes_on_where_it_was() {
    let setup = in_memory(100).await;
    let pstate = setup.handle();
    let sweep = pstate.migrate_all().page_size(10).rate(10).start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    sweep.cancel();
    let report = sweep.wait().await.unwrap();
    assert_eq!((report.finished, report.done), (false, 30));
    let checkpoint = pstate.migration_status().await.unwrap().sweep.unwrap();
    assert!(!checkpoint.running && !checkpoint.finished);
    assert_eq!(checkpoint.position.unwrap().as_str(), key(29));

    // In another process, at once: it has said that it ended.
    let before = tokio::time::Instant::now();
    let other = handle(setup.adapter.clone());
    let report = other.migrate_all().page_size(10).run().await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(report.resumed_after.unwrap().as_str(), key(29));
    assert_eq!((report.done, report.done_before, report.stored), (101, 30, 100));
}

#[tokio::test(start_paused = true)]
async fn dropping_what_controls_it_or_closing_the_handle_stops_it() {
    let setup = in_memory(100).await;
    let pstate = setup.handle();
    drop(pstate.migrate_all().page_size(10).rate(10).start().await.unwrap());
    let sweep = pstate.migrate_all().page_size(10).rate(10).start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    pstate.close().await.unwrap();
    let report = sweep.wait().await.unwrap();
    assert_eq!((report.finished, report.done), (false, 20));
    assert_eq!(pstate.migrate_all().start().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn after_a_lease_of_silence_another_takes_over_and_the_first_finds_out() {
    let setup = in_memory(100).await;
    let pstate = setup.handle();
    let lease = Duration::from_secs(3);
    let first = pstate.migrate_all().page_size(10).rate(10).lease(lease).start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    // It does not get through any more.
    setup.faults.disconnect();
    let other = handle(setup.adapter.clone());
    let before = tokio::time::Instant::now();
    let second = other.migrate_all().page_size(10).rate(10).start().await.unwrap();
    let waited = before.elapsed();
    assert!(waited >= lease && waited < 2 * lease, "{waited:?}");
    assert_eq!(second.progress().done, 20);
    setup.faults.reconnect();
    let error = first.wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("another sweep has taken over"), "{error}");
    let report = second.wait().await.unwrap();
    assert_eq!((report.done, report.stored + report.conflicts), (101, 100));
}

#[tokio::test(start_paused = true)]
async fn it_waits_while_the_store_is_unavailable() {
    let setup = in_memory(100).await;
    let pstate = setup.handle();
    let sweep = pstate.migrate_all().page_size(10).rate(10).start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    setup.faults.disconnect();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let progress = sweep.progress();
    assert_eq!((progress.state, progress.done), (JobState::Waiting, 20));
    assert!(progress.unavailable.is_some());
    setup.faults.reconnect();
    sweep.set_rate(0);
    let report = sweep.wait().await.unwrap();
    assert_eq!((report.done, report.stored, report.conflicts, report.failed), (101, 100, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_lost_cost_neither_a_document_nor_the_lease() {
    let setup = in_memory(60).await;
    let pstate = setup.handle();
    let lost = || Error::new(ErrorKind::Timeout, "no answer");
    let sweep = pstate.migrate_all().page_size(10).rate(10).start().await.unwrap();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        setup.faults.fail_after(Call::Write, lost());
    }
    let report = sweep.wait().await.unwrap();
    assert_eq!((report.done, report.failed), (61, 0));
    // What was stored without an answer is a conflict the second time.
    assert_eq!(report.stored + report.conflicts, 60);
    assert_eq!(pstate.migration_status().await.unwrap().older(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_costs_two_writes_a_page_and_caches_nothing() {
    let setup = in_memory(1_000).await;
    let pstate = setup.handle();
    setup.counting.take();
    pstate.migrate_all().page_size(100).run().await.unwrap();
    let counts = setup.counting.take();
    // Eleven pages (the cards' last one and the deck's are not full); for those with old cards a
    // write and a checkpoint; the lease is taken and given back.
    assert_eq!((counts.scans, counts.writes), (11, 10 + 10 + 2));
    // What it migrates is not read now, so it stays out of the cache.
    assert_eq!(pstate.stats().cache_entries, 0);
    assert_eq!(pstate.stats().write_back.queued, 0);
}

#[tokio::test(start_paused = true)]
async fn a_new_schema_begins_anew() {
    let setup = in_memory(30).await;
    let pstate = setup.handle();
    let sweep = pstate.migrate_all().page_size(10).rate(10).start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    sweep.cancel();
    sweep.wait().await.unwrap();
    let next = Schema::new([Entity::new("card", 3)
        .step(1, 2, patterns::rename("text", "front"))
        .step(2, 3, |_| Ok(()))])
    .unwrap();
    let next = PState::builder(setup.adapter.clone()).schema(next).build().unwrap();
    let report = next.migrate_all().run().await.unwrap();
    assert_eq!((report.resumed_after, report.done, report.stored), (None, 30, 30));
}

#[tokio::test(start_paused = true)]
async fn without_a_schema_there_is_nothing_to_migrate() {
    let pstate = PState::builder(Arc::new(MemoryAdapter::new())).build().unwrap();
    let error = pstate.migrate_all().start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(pstate.migrate_all().dry_run().await.unwrap_err().kind(), ErrorKind::Config);
    assert!(pstate.migration_status().await.unwrap().types.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_note_that_cannot_be_read_begins_the_sweep_anew() {
    let setup = in_memory(10).await;
    let notes: Space = "pstate-sweeps".parse().unwrap();
    let damaged = Write::put("sweep:default".parse().unwrap(), *b"no JSON");
    setup.adapter.write(&notes, &Batch::each(vec![damaged])).await.unwrap();
    assert_eq!(setup.handle().migrate_all().run().await.unwrap().stored, 10);
    let scan = Scan { prefix: String::new(), after: None, limit: NonZeroUsize::new(10).unwrap() };
    assert_eq!(setup.adapter.scan(&notes, &scan).await.unwrap().records.len(), 1);
}
