//! sled's own snapshot files, half-written or damaged: the log has everything that is in them.

use std::fs::{self, File};
use std::path::PathBuf;

use pstate_core::{Adapter, Batch, Record, Space, Write};
use pstate_sled::SledAdapter;

use crate::fixture::{Place, keys};

/// A store that was opened again and again while documents were overwritten, deleted and created
/// again, short ones and long ones: segments of its log were used twice, and files of long values
/// removed.
async fn churned(place: &Place) -> Vec<Option<Record>> {
    let (space, keys) = (Space::default(), keys(600));
    for round in 0..5_u8 {
        let store = place.open();
        for n in 0..4_u8 {
            let writes = keys.iter().enumerate().map(|(at, key)| {
                let version = usize::from(round * 4 + n);
                let len = if at % 50 == 0 { 200_000 } else { 10 + (at * version) % 3_000 };
                match (at + version) % 7 {
                    0 => Write::delete(key.clone()),
                    _ => Write::put(key.clone(), vec![round * 4 + n; len]),
                }
            });
            store.write(&space, &Batch::each(writes.collect())).await.unwrap();
        }
        store.close().await.unwrap();
    }
    // Writes its snapshot on opening.
    let store = place.open();
    let records = contents(&store).await;
    store.close().await.unwrap();
    records
}

async fn contents(store: &SledAdapter) -> Vec<Option<Record>> {
    store.multi_get(&Space::default(), &keys(600)).await.unwrap()
}

/// The one snapshot of a closed store.
fn snapshot(place: &Place) -> PathBuf {
    let entries = fs::read_dir(place.path("app")).unwrap().map(|entry| entry.unwrap().path());
    let is_snapshot =
        |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("snap.");
    let snapshots: Vec<PathBuf> = entries.filter(is_snapshot).collect();
    assert_eq!(snapshots.len(), 1, "{snapshots:?}");
    snapshots.into_iter().next().unwrap()
}

async fn opens_with_everything(place: &Place, expected: &[Option<Record>], what: &str) {
    // A second time, too: the first has written to the log.
    for _ in 0..2 {
        let store = place.open();
        assert!(contents(&store).await == expected, "{what}: other contents");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_truncated_snapshot_costs_nothing_that_is_stored() {
    let place = Place::new();
    let expected = churned(&place).await;
    let whole = fs::metadata(snapshot(&place)).unwrap().len();
    for len in [0, 1, 12, 13, whole / 2, whole - 1] {
        File::options().write(true).open(snapshot(&place)).unwrap().set_len(len).unwrap();
        opens_with_everything(&place, &expected, &format!("{len} of {whole} bytes")).await;
    }
}

#[tokio::test]
async fn a_snapshot_with_other_bytes_costs_nothing_that_is_stored() {
    let place = Place::new();
    let expected = churned(&place).await;
    let mut bytes = fs::read(snapshot(&place)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(snapshot(&place), bytes).unwrap();
    opens_with_everything(&place, &expected, "another byte").await;
}

/// sled alone takes it for a snapshot, and refuses the store as damaged.
#[tokio::test]
async fn an_unfinished_snapshot_is_removed() {
    let place = Place::new();
    let expected = churned(&place).await;
    let bytes = fs::read(snapshot(&place)).unwrap();
    for len in [0, 20, bytes.len() / 2, bytes.len()] {
        let unfinished = place.path("app").join("snap.7FFFFFFFFFFFFFFF.generating");
        fs::write(&unfinished, &bytes[..len]).unwrap();
        opens_with_everything(&place, &expected, &format!("{len} bytes of the next")).await;
        assert!(!unfinished.exists());
    }
}

/// Another handle may be writing it.
#[tokio::test]
async fn the_snapshot_of_an_open_store_is_left_alone() {
    let place = Place::new();
    let store = place.open();
    let unfinished = place.path("app").join("snap.7FFFFFFFFFFFFFFF.generating");
    fs::write(&unfinished, "half").unwrap();
    let config = pstate_sled::SledConfig::default().busy_timeout(std::time::Duration::ZERO);
    SledAdapter::open_with(place.path("app"), config).unwrap_err();
    assert!(unfinished.exists());
    store.close().await.unwrap();
}
