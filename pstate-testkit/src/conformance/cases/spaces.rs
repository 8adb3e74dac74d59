//! Spaces: what is done in one is not seen in another.

use pstate_core::{Atomicity, Batch, Expect, Write};

use crate::conformance::case::{Stop, cases, same};
use crate::conformance::test::{Came, Test, came, key, put, put_if};
use crate::operation::Value;

cases! { "spaces";
    apart: "Nothing done in one space is seen in another.",
    names_that_run_together: "Nothing done in one space is seen in another.",
    listed: "All spaces that hold at least one record, in ascending order.",
}

async fn apart(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let (red, blue) = (store.space("red"), store.space("blue"));
    let in_red = red.put("card:1", "red").await?;
    same("nothing in the other space", &None, &blue.value("card:1").await?)?;
    let outcome = blue.write_one(put_if("card:1", "blue", Expect::Absent)).await?;
    same("the put in the other space", &Came::Stored, &Came::from(&outcome))?;
    same("the value of the one space", &Some("red".into()), &red.value("card:1").await?)?;
    same("the value of the other", &Some("blue".into()), &blue.value("card:1").await?)?;
    let record = red.stored("card:1").await?;
    same("the revision of the one space", &in_red, &record.revision)?;
    blue.delete("card:1").await?;
    same("the value after a delete elsewhere", &Some("red".into()), &red.value("card:1").await?)?;
    same("no scan sees the other space", &Vec::<String>::new(), &blue.scanned("", 10).await?)?;
    if store.capabilities().atomicity == Atomicity::Batch && store.at_most(2) == 2 {
        blue.put("card:2", "blue").await?;
        let batch = Batch::atomic(vec![put("card:1", "red again"), Write::delete(key("card:2"))]);
        let outcomes = red.write(&batch).await?;
        same(
            "the outcomes in the one space",
            &vec![Came::Stored, Came::Deleted],
            &came(&outcomes),
        )?;
        same("the value of the other", &Some("blue".into()), &blue.value("card:2").await?)?;
    }
    Ok(())
}

async fn names_that_run_together(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    // Joined in whatever way, with or without something between, each pair gives the same text, or
    // one begins like the other.
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
        same(&format!("nothing yet in {space} under {name}"), &None, &value)?;
        store.space(space).put(name, &format!("{space} {name}")).await?;
    }
    for (space, name) in places {
        let expected = Value::from(format!("{space} {name}").as_str());
        let value = store.space(space).value(name).await?;
        same(&format!("in {space} under {name}"), &Some(expected), &value)?;
        let mut expected: Vec<_> = places
            .iter()
            .filter(|(other, _)| *other == space)
            .map(|(_, name)| (*name).to_owned())
            .collect();
        expected.sort();
        same(
            &format!("the keys of {space}"),
            &expected,
            &store.space(space).scanned("", 5).await?,
        )?;
    }
    for (n, (space, name)) in places.iter().enumerate() {
        store.space(space).delete(name).await?;
        for (space, name) in &places[n + 1..] {
            let value = store.space(space).value(name).await?;
            let expected = Value::from(format!("{space} {name}").as_str());
            same(&format!("still in {space} under {name}"), &Some(expected), &value)?;
        }
    }
    Ok(())
}

async fn listed(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let spaces = || async {
        let spaces = store.adapter.spaces().await?;
        Ok::<_, Stop>(spaces.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    same("no space", &Vec::<String>::new(), &spaces().await?)?;
    let names = ["b", "a", "a-b", "a_b", "ab", "0", "default", "z9"];
    for name in names {
        store.space(name).put("card:1", "{}").await?;
        store.space(name).put("card:2", "{}").await?;
    }
    let mut expected = names.map(str::to_owned).to_vec();
    expected.sort();
    same("every space once, in order", &expected, &spaces().await?)?;
    for name in ["a", "default"] {
        store.space(name).delete("card:1").await?;
        same("spaces with one record left", &expected, &spaces().await?)?;
        store.space(name).delete("card:2").await?;
        expected.retain(|other| other != name);
        same("the spaces that hold a record", &expected, &spaces().await?)?;
    }
    Ok(())
}
