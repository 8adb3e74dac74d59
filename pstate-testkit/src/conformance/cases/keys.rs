//! Keys: told apart by their bytes, and by nothing else.

use crate::conformance::case::{Stop, cases, same};
use crate::conformance::test::{Test, key};
use crate::operation::Value;

cases! { "keys";
    letter_case: "Keys are told apart by their bytes:",
    normal_forms: "Keys are told apart by their bytes:",
    blanks: "Keys are told apart by their bytes:",
    wildcards: "Keys are told apart by their bytes:",
    odd_characters: "Keys are told apart by their bytes:",
    longest: "Keys are told apart by their bytes:",
    beginnings: "Keys are told apart by their bytes:",
}

/// Each of these keys has a record of its own: none hides, changes or deletes another's.
async fn distinct(test: &Test, names: &[String]) -> Result<(), Stop> {
    let store = test.open().await?;
    let mut sorted = names.to_vec();
    sorted.sort();
    for name in names {
        // One that is there already would be taken for another's.
        same(&format!("nothing under {name} yet"), &None, &store.value(name).await?)?;
        store.put(name, name).await?;
    }
    for name in names {
        let expected = Some(Value::from(name.as_str()));
        same(&format!("its own value under {name}"), &expected, &store.value(name).await?)?;
    }
    same("all of the keys", &sorted, &store.scanned("", 100).await?)?;
    for (n, name) in names.iter().enumerate() {
        store.delete(name).await?;
        let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
        let expected: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(other, name)| (other > n).then(|| Value::from(name.as_str())))
            .collect();
        let mut read = Vec::new();
        for keys in keys.chunks(store.at_most(100)) {
            read.extend(store.values(keys).await?);
        }
        same(&format!("nothing gone with {name} but itself"), &expected, &read)?;
    }
    Ok(())
}

fn ids(entity_type: &str, ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| format!("{entity_type}:{id}")).collect()
}

async fn letter_case(test: &Test) -> Result<(), Stop> {
    distinct(
        test,
        &ids("card", &["abc", "ABC", "Abc", "é", "É", "ß", "ẞ", "ss", "ı", "i", "I", "İ"]),
    )
    .await
}

async fn normal_forms(test: &Test) -> Result<(), Stop> {
    let forms =
        ["\u{e9}", "e\u{301}", "\u{212b}", "\u{c5}", "A\u{30a}", "\u{fb01}", "fi", "\u{ff21}", "A"];
    distinct(test, &ids("card", &forms)).await
}

async fn blanks(test: &Test) -> Result<(), Stop> {
    let blanks =
        ["a", "a ", " a", " a ", "a  ", "a\u{a0}", "a\u{3000}", "\u{feff}a", "a\u{200b}", " "];
    distinct(test, &ids("card", &blanks)).await
}

async fn wildcards(test: &Test) -> Result<(), Stop> {
    let wild = [
        "axb",
        "a_b",
        "a%b",
        "a*b",
        "a?b",
        "a[x]b",
        "a.b",
        "%",
        "_",
        "*",
        "?",
        "a\\b",
        "a\\_b",
        "a'b",
        "a\"b",
        "a;b",
        "a/b",
        "a//b",
        "..",
        "../a",
        ".",
        "a/../b",
        "~",
        "$a",
        "a b",
        "a\u{2028}b",
    ];
    let mut names = ids("base_card", &wild);
    names.extend(ids("basexcard", &["axb", "a_b"]));
    distinct(test, &names).await
}

async fn odd_characters(test: &Test) -> Result<(), Stop> {
    let odd = [
        "日本語",
        "🦀",
        "🦀🦀",
        "\u{10ffff}",
        "\u{fffd}",
        "\u{e000}",
        "a\u{301}\u{302}",
        "👩‍👩‍👧",
        "0",
        "00",
        "1",
        "01",
        "1.0",
        "1e0",
        "-0",
        "null",
        "true",
        "NaN",
        "con",
        "nul",
        "aux.txt",
        "{}",
        "[",
        "]",
        "{a}",
        "{a}b",
        "a{b",
        "#",
        "&",
        "=",
        "a=b&c",
        "+",
        "a+b",
        "@",
        "<a>",
        "|",
        "\u{ff0f}",
    ];
    distinct(test, &ids("card", &odd)).await
}

async fn longest(test: &Test) -> Result<(), Stop> {
    let long = |end: &str| format!("card:{}{end}", "k".repeat(512 - end.len()));
    let crabs = |end: &str| format!("card:{}{end}", "🦀".repeat(127));
    let of_type = |last: char| format!("{}{last}:a", "t".repeat(63));
    distinct(
        test,
        &[
            long("a"),
            long("b"),
            long("A"),
            format!("card:{}", "k".repeat(511)),
            crabs("aaaa"),
            crabs("aaab"),
            crabs("🦀"),
            of_type('a'),
            of_type('b'),
            format!("card:{}", "k".repeat(255)),
            format!("card:{}", "k".repeat(256)),
        ],
    )
    .await
}

async fn beginnings(test: &Test) -> Result<(), Stop> {
    distinct(
        test,
        &["a:a", "a:a:", "a:a:b", "a::", "a:::", "a: :", "aa:a", "a:aa", "a_a:a", "a_:a", "a:a_a"]
            .map(str::to_owned),
    )
    .await
}
