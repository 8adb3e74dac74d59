//! The format of the log file: batches, each with its length.

use crate::store::{Place, Stored};

/// Appends a change to a batch.
pub(crate) fn encode(log: &mut Vec<u8>, place: &Place, stored: &Stored) {
    for part in
        [place.0.as_bytes(), place.1.as_bytes(), stored.key.as_str().as_bytes(), &stored.bytes]
    {
        log.extend((part.len() as u64).to_le_bytes());
        log.extend_from_slice(part);
    }
    log.extend(stored.revision.to_le_bytes());
    log.push(u8::from(stored.hidden));
}

/// Calls `change` with each change of each complete batch, and returns the length of those batches.
pub(crate) fn replay(bytes: &[u8], mut change: impl FnMut(Place, Stored)) -> usize {
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let mut whole = 0;
    while let Some(length) = number(whole) {
        let end = whole + 8 + usize::try_from(length).unwrap();
        if end > bytes.len() {
            break;
        }
        let mut at = whole + 8;
        while at < end {
            let mut part = || {
                let length = usize::try_from(number(at).unwrap()).unwrap();
                at += 8 + length;
                &bytes[at - length..at]
            };
            let text = |part: &[u8]| String::from_utf8(part.to_vec()).unwrap();
            let (space, name, key, value) = (text(part()), text(part()), text(part()), part());
            let revision = number(at).unwrap();
            let hidden = bytes[at + 8] == 1;
            at += 9;
            let key = key.parse().unwrap();
            change((space, name), Stored { key, bytes: value.into(), revision, hidden });
        }
        whole = end;
    }
    whole
}
