//! Copies that were started before.

use super::*;

/// Stops a copy of cards after 20 of them.
async fn stopped_after_20(from: &Arc<dyn Adapter>, to: &Arc<dyn Adapter>, overwrite: bool) {
    let target = faults(to);
    // Two pages of ten, a note before them and one after each.
    for _ in 0..5 {
        target.delay(Call::Write, Duration::ZERO);
    }
    target.fail(Call::Write, broken());
    let copying = copy(from.clone(), target).page_size(10).overwrite(overwrite);
    copying.run().await.unwrap_err();
}

#[tokio::test]
async fn one_that_overwrites_compares_also_what_one_that_does_not_has_copied() {
    let (from, to) = (cards(100).await, memory());
    stopped_after_20(&from, &to, false).await;
    put(&from, "default", "card:0003", b"changed").await;
    let copying = copy(from.clone(), to.clone()).overwrite(true).verify_afterwards(false);
    let report = copying.run().await.unwrap();
    assert_eq!((report.documents_before, report.documents), (0, 100));
    assert!(report.is_complete());
    assert_eq!(contents(&to).await, contents(&from).await);
}

#[tokio::test]
async fn one_that_overwrites_goes_on_where_one_that_does_was_stopped() {
    let (from, to) = (cards(100).await, memory());
    put(&to, "default", "card:0003", b"theirs").await;
    stopped_after_20(&from, &to, true).await;
    let report = copy(from.clone(), to.clone()).overwrite(true).run().await.unwrap();
    assert_eq!((report.documents_before, report.documents), (20, 100));
    assert!(report.is_complete());
    assert_eq!(contents(&to).await, contents(&from).await);
}
