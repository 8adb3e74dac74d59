//! Values: reads return what writes stored, byte for byte.

use std::sync::Arc;

use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::{ensure, ensure_eq};
use crate::conformance::context::Context;
use crate::conformance::shorthand::key;
use crate::recording::Value;

cases! { "bytes";
    every_byte [Bytes Simple]: "What is read is what was written, byte for byte.",
    empty [Bytes Size]: "What is read is what was written, byte for byte.",
    numbers [Bytes Simple]: "What is read is what was written, byte for byte.",
    lengths [Bytes Size]: "What is read is what was written, byte for byte.",
    huge [Bytes Size]: "What is read is what was written, byte for byte.",
    no_json [Bytes Simple]: "Values need not be JSON, nor text.",
}

/// Checks that each value is stored unchanged: read right after its write, read again at the end,
/// and scanned.
async fn round_trips(context: &Context, values: Vec<Arc<[u8]>>) -> CaseResult {
    let store = context.open().await?;
    let keys: Vec<_> = (0..values.len()).map(|n| key(&format!("value:{n:03}"))).collect();
    for (key, value) in keys.iter().zip(&values) {
        store.put_bytes(key, value.clone()).await?;
        let read = store.record(key).await?.map(|record| Value(record.bytes));
        ensure_eq("the value as it was written", &Some(Value(value.clone())), &read)?;
    }
    for (key, value) in keys.iter().zip(&values) {
        let read = store.record(key).await?.map(|record| Value(record.bytes));
        ensure_eq("the value as it was written", &Some(Value(value.clone())), &read)?;
    }
    let scanned = store.scan("value:", 7).await?;
    let scanned: Vec<_> = scanned.into_iter().map(|(_, record)| Value(record.bytes)).collect();
    let written: Vec<_> = values.into_iter().map(Value).collect();
    ensure_eq("the values as they were written, from a scan", &written, &scanned)
}

async fn every_byte(context: &Context) -> CaseResult {
    let all: Vec<u8> = (0..=255).collect();
    let mut values: Vec<Arc<[u8]>> = (0..=255_u8).map(|byte| [byte].into()).collect();
    values.push(all.clone().into());
    values.push(all.into_iter().rev().collect());
    round_trips(context, values).await
}

async fn empty(context: &Context) -> CaseResult {
    let store = context.open().await?;
    store.put("card:1", "").await?;
    ensure_eq("the empty value", &Some(Value::from("")), &store.value("card:1").await?)?;
    ensure_eq(
        "an empty value is a record",
        &vec!["card:1".to_owned()],
        &store.scan_keys("", 10).await?,
    )
}

async fn numbers(context: &Context) -> CaseResult {
    let texts = [
        "0.1",
        "1.0",
        "1e400",
        "-0.0",
        "1E2",
        "9007199254740993",
        "18446744073709551616",
        "0.1000000000000000055511151231257827",
        "123456789012345678901234567890",
        "5e-324",
        "{\"b\":1,\"a\":2}",
        "{\"a\":1,\"a\":2}",
        " { \"a\" : 1 } ",
        "\"\\u00e9\\/\"",
        "null",
        "true",
        "-7",
        "007",
        "[1, 2,\n3]",
        "\u{feff}{}",
        "{}\n",
    ];
    round_trips(context, texts.iter().map(|text| text.as_bytes().into()).collect()).await
}

async fn lengths(context: &Context) -> CaseResult {
    let limit = context.capabilities().max_value_len;
    let limit = limit.unwrap_or(usize::MAX);
    let lengths = [
        1,
        127,
        128,
        254,
        255,
        256,
        4_095,
        4_096,
        4_097,
        32_767,
        32_768,
        65_535,
        65_536,
        65_541,
        1 << 20,
        (1 << 24) + 5,
    ];
    let values = lengths.into_iter().filter(|&length| length <= limit).map(text_of_length);
    round_trips(context, values.collect()).await
}

/// Text without a period, so that a misplaced buffer shows.
fn text_of_length(length: usize) -> Arc<[u8]> {
    let mut word = 1_u32;
    (0..length)
        .map(|_| {
            word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'a' + ((word >> 24) % 26) as u8
        })
        .collect()
}

async fn huge(context: &Context) -> CaseResult {
    if !context.settings.huge {
        return Err(CaseError::ignored("set PSTATE_TESTKIT_HUGE=1; it takes 8 GiB"));
    }
    let length: usize = (1 << 31) + 5;
    let store = context.open().await?;
    if store.capabilities().max_value_len.is_some_and(|max| max < length) {
        return Err(CaseError::ignored("it declares a lower max_value_len"));
    }
    let value: Arc<[u8]> = vec![b'a'; length].into();
    store.put_bytes(&key("card:1"), value.clone()).await?;
    let read = store.existing("card:1").await?.bytes;
    ensure(
        read == value,
        &format!("a value of {length} bytes"),
        format_args!("{} other bytes", read.len()),
    )
}

async fn no_json(context: &Context) -> CaseResult {
    let values: [&[u8]; 6] = [b"{", b"\"", b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b"not { json"];
    round_trips(context, values.iter().map(|&value| value.into()).collect()).await
}
