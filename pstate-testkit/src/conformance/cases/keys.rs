//! Keys: distinguished by their bytes, and by nothing else.

use crate::conformance::case::cases;
use crate::conformance::case_error::CaseResult;
use crate::conformance::check::ensure_eq;
use crate::conformance::context::Context;
use crate::conformance::shorthand::key;
use crate::recording::Value;

cases! { "keys";
    letter_case [Keys Name]: "no case folding, no Unicode normalisation, no trimming, no wildcards, no cutting.",
    normal_forms [Keys Name]: "no case folding, no Unicode normalisation, no trimming, no wildcards, no cutting.",
    blanks [Keys Name]: "no case folding, no Unicode normalisation, no trimming, no wildcards, no cutting.",
    wildcards [Keys Name]: "no case folding, no Unicode normalisation, no trimming, no wildcards, no cutting.",
    odd_characters [Keys Name]: "no case folding, no Unicode normalisation, no trimming, no wildcards, no cutting.",
    longest [Keys Name]: "no case folding, no Unicode normalisation, no trimming, no wildcards, no cutting.",
    beginnings [Keys Name]: "no case folding, no Unicode normalisation, no trimming, no wildcards, no cutting.",
}

/// Checks that each of these keys has a record of its own: that no key hides, changes or deletes
/// the record of another.
async fn check_distinct(context: &Context, names: &[String]) -> CaseResult {
    let store = context.open().await?;
    let mut sorted = names.to_vec();
    sorted.sort();
    for name in names {
        // A record that exists already belongs to another key.
        ensure_eq(&format!("nothing under {name} yet"), &None, &store.value(name).await?)?;
        store.put(name, name).await?;
    }
    for name in names {
        let expected = Some(Value::from(name.as_str()));
        ensure_eq(&format!("its own value under {name}"), &expected, &store.value(name).await?)?;
    }
    ensure_eq("all of the keys", &sorted, &store.scan_keys("", 100).await?)?;
    // Each of them is where a page begins once.
    ensure_eq("all of the keys, one by one", &sorted, &store.scan_keys("", 1).await?)?;
    for (n, name) in names.iter().enumerate() {
        store.delete(name).await?;
        let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
        let expected: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(other, name)| (other > n).then(|| Value::from(name.as_str())))
            .collect();
        let mut read = Vec::new();
        for keys in keys.chunks(store.up_to_max_batch(100)) {
            read.extend(store.values(keys).await?);
        }
        ensure_eq(&format!("the other records after a delete of {name}"), &expected, &read)?;
    }
    Ok(())
}

fn ids(entity_type: &str, ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| format!("{entity_type}:{id}")).collect()
}

async fn letter_case(context: &Context) -> CaseResult {
    check_distinct(
        context,
        &ids("card", &["abc", "ABC", "Abc", "é", "É", "ß", "ẞ", "ss", "ı", "i", "I", "İ"]),
    )
    .await
}

async fn normal_forms(context: &Context) -> CaseResult {
    let forms =
        ["\u{e9}", "e\u{301}", "\u{212b}", "\u{c5}", "A\u{30a}", "\u{fb01}", "fi", "\u{ff21}", "A"];
    check_distinct(context, &ids("card", &forms)).await
}

async fn blanks(context: &Context) -> CaseResult {
    let blanks =
        ["a", "a ", " a", " a ", "a  ", "a\u{a0}", "a\u{3000}", "\u{feff}a", "a\u{200b}", " "];
    check_distinct(context, &ids("card", &blanks)).await
}

async fn wildcards(context: &Context) -> CaseResult {
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
    check_distinct(context, &names).await
}

async fn odd_characters(context: &Context) -> CaseResult {
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
    check_distinct(context, &ids("card", &odd)).await
}

async fn longest(context: &Context) -> CaseResult {
    let long = |end: &str| format!("card:{}{end}", "k".repeat(512 - end.len()));
    let crabs = |end: &str| format!("card:{}{end}", "🦀".repeat(127));
    let of_type = |last: char| format!("{}{last}:a", "t".repeat(63));
    check_distinct(
        context,
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

async fn beginnings(context: &Context) -> CaseResult {
    check_distinct(
        context,
        &["a:a", "a:a:", "a:a:b", "a::", "a:::", "a: :", "aa:a", "a:aa", "a_a:a", "a_:a", "a:a_a"]
            .map(str::to_owned),
    )
    .await
}
