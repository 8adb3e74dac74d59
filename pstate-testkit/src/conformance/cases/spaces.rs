//! Spaces: isolated from each other.

use pstate_core::{Atomicity, Batch, Expect, Write};

use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::ensure_eq;
use crate::conformance::context::Context;
use crate::conformance::outcome_kind::OutcomeKind;
use crate::conformance::shorthand::{key, put, put_if};
use crate::recording::Value;

cases! { "spaces";
    apart [Spaces Simple]: "Nothing done in one space is seen in another.",
    names_that_run_together [Spaces Name]: "Nothing done in one space is seen in another.",
    listed [Spaces Simple]: "All spaces that hold at least one record, in ascending order.",
}

async fn apart(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let (red, blue) = (store.space("red"), store.space("blue"));
    let in_red = red.put("card:1", "red").await?;
    ensure_eq("nothing in the other space", &None, &blue.value("card:1").await?)?;
    let outcome = blue.write_one(put_if("card:1", "blue", Expect::Absent)).await?;
    ensure_eq("the put in the other space", &OutcomeKind::Stored, &OutcomeKind::from(&outcome))?;
    ensure_eq("the value of the one space", &Some("red".into()), &red.value("card:1").await?)?;
    ensure_eq("the value of the other", &Some("blue".into()), &blue.value("card:1").await?)?;
    let record = red.existing("card:1").await?;
    ensure_eq("the revision of the one space", &in_red, &record.revision)?;
    blue.delete("card:1").await?;
    ensure_eq(
        "the value after a delete elsewhere",
        &Some("red".into()),
        &red.value("card:1").await?,
    )?;
    ensure_eq(
        "no scan sees the other space",
        &Vec::<String>::new(),
        &blue.scan_keys("", 10).await?,
    )?;
    if store.capabilities().atomicity == Atomicity::Batch && store.up_to_max_batch(2) == 2 {
        blue.put("card:2", "blue").await?;
        let batch = Batch::atomic(vec![put("card:1", "red again"), Write::delete(key("card:2"))]);
        let outcomes = red.write(&batch).await?;
        ensure_eq(
            "the outcomes in the one space",
            &vec![OutcomeKind::Stored, OutcomeKind::Deleted],
            &OutcomeKind::all(&outcomes),
        )?;
        ensure_eq("the value of the other", &Some("blue".into()), &blue.value("card:2").await?)?;
    }
    Ok(())
}

async fn names_that_run_together(context: &Context) -> CaseResult {
    let store = context.open().await?;
    // Joined with or without a separator, some pairs give the same text, or one text is the prefix
    // of another.
    let places = [
        ("a", "bc:1"),
        ("ab", "c:1"),
        ("a_b", "c:1"),
        ("a", "b_c:1"),
        ("a", "a:1"),
        ("a", "a:a:1"),
        ("a-b", "c:1"),
        ("a-", "b:1"),
        ("a", "b:1"),
        ("aa", "a:1"),
        ("0", "a:1"),
        ("00", "a:1"),
    ];
    for (space, name) in places {
        let value = store.space(space).value(name).await?;
        ensure_eq(&format!("nothing yet in {space} under {name}"), &None, &value)?;
        store.space(space).put(name, &format!("{space} {name}")).await?;
    }
    for (space, name) in places {
        let expected = Value::from(format!("{space} {name}").as_str());
        let value = store.space(space).value(name).await?;
        ensure_eq(&format!("in {space} under {name}"), &Some(expected), &value)?;
        let mut expected: Vec<_> = places
            .iter()
            .filter(|(other, _)| *other == space)
            .map(|(_, name)| (*name).to_owned())
            .collect();
        expected.sort();
        ensure_eq(
            &format!("the keys of {space}"),
            &expected,
            &store.space(space).scan_keys("", 5).await?,
        )?;
    }
    for (n, (space, name)) in places.iter().enumerate() {
        store.space(space).delete(name).await?;
        for (space, name) in &places[n + 1..] {
            let value = store.space(space).value(name).await?;
            let expected = Value::from(format!("{space} {name}").as_str());
            ensure_eq(&format!("still in {space} under {name}"), &Some(expected), &value)?;
        }
    }
    Ok(())
}

async fn listed(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let spaces = || async {
        let spaces = store.adapter.spaces().await?;
        Ok::<_, CaseError>(spaces.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    ensure_eq("no space", &Vec::<String>::new(), &spaces().await?)?;
    let names = ["b", "a", "a-b", "a_b", "ab", "0", "default", "z9"];
    for name in names {
        store.space(name).put("card:1", "{}").await?;
        store.space(name).put("card:2", "{}").await?;
    }
    let mut expected = names.map(str::to_owned).to_vec();
    expected.sort();
    ensure_eq("every space once, in order", &expected, &spaces().await?)?;
    for name in ["a", "default"] {
        store.space(name).delete("card:1").await?;
        ensure_eq("spaces with one record left", &expected, &spaces().await?)?;
        store.space(name).delete("card:2").await?;
        expected.retain(|other| other != name);
        ensure_eq("the spaces that hold a record", &expected, &spaces().await?)?;
    }
    Ok(())
}
