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

#[tokio::test]
async fn notes_that_stay_give_no_leave_to_overwrite() {
    let (from, to) = (cards(10).await, memory());
    let target = faults(&to);
    // A page, a note before it and one after it; then the note is removed.
    for _ in 0..3 {
        target.delay(Call::Write, Duration::ZERO);
    }
    target.fail(Call::Write, broken());
    let error = copy(from.clone(), target).run().await.unwrap_err();
    assert_eq!(error.message(), "broken");
    put(&to, "default", "card:0003", b"newer").await;
    for _ in 0..2 {
        let report = copy(from.clone(), to.clone()).run().await.unwrap();
        assert_eq!(report.verification.as_ref().unwrap().different, 1, "{report}");
        assert_eq!(contents(&to).await[3].2, b"newer");
    }
    let report = copy(from.clone(), to.clone()).overwrite(true).run().await.unwrap();
    assert!(report.is_complete(), "{report}");
    assert_eq!(contents(&to).await, contents(&from).await);
}

#[tokio::test]
async fn one_that_overwrites_compares_everything_though_one_like_it_has_come_to_the_end() {
    let (from, to) = (cards(10).await, memory());
    let target = faults(&to);
    for _ in 0..3 {
        target.delay(Call::Write, Duration::ZERO);
    }
    target.fail(Call::Write, broken());
    copy(from.clone(), target).overwrite(true).run().await.unwrap_err();
    put(&to, "default", "card:0003", b"newer").await;
    let report = copy(from.clone(), to.clone()).overwrite(true).run().await.unwrap();
    assert!(report.is_complete(), "{report}");
    assert_eq!(contents(&to).await, contents(&from).await);
}
