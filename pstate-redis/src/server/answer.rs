//! Reading answers of servers.

use pstate_core::Result;
use redis::Value;

use crate::error::unexpected;

pub(crate) fn only(mut answers: Vec<Value>) -> Result<Value> {
    answers.pop().ok_or_else(|| unexpected("answer"))
}

pub(crate) fn items(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(items) | Value::Set(items) => Ok(items),
        Value::Nil => Ok(Vec::new()),
        _ => Err(unexpected("list")),
    }
}

pub(crate) fn integer(value: &Value) -> Result<i64> {
    match value {
        Value::Int(number) => Ok(*number),
        _ => Err(unexpected("number")),
    }
}

/// Bytes, or nothing if nothing is stored.
pub(crate) fn bytes(value: Value) -> Result<Option<Vec<u8>>> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(Some(text.into())),
        Value::Okay => Ok(Some(b"OK".to_vec())),
        Value::Nil => Ok(None),
        _ => Err(unexpected("text")),
    }
}

pub(crate) fn texts(value: Value) -> Result<Vec<Vec<u8>>> {
    items(value)?.into_iter().map(|item| bytes(item)?.ok_or_else(|| unexpected("text"))).collect()
}

/// The answer to `TIME`, in milliseconds.
pub(crate) fn milliseconds(time: Value) -> Result<u64> {
    let number = |text: &Vec<u8>| std::str::from_utf8(text).ok()?.parse::<u64>().ok();
    let parts = texts(time)?;
    match parts.iter().map(number).collect::<Option<Vec<_>>>().as_deref() {
        Some([seconds, micros]) => Ok(seconds * 1000 + micros / 1000),
        _ => Err(unexpected("time")),
    }
}
