//! Comparing two stores.

use pstate::{Capabilities, Extensions, Outcome, Page, Result};

use super::*;

#[tokio::test]
async fn missing_extra_and_different_documents_are_found() {
    let (from, to) = (cards(30).await, cards(30).await);
    put(&from, "default", "card:0010a", b"1").await;
    put(&from, "default", "z:last", b"1").await;
    put(&from, "only-from", "card:1", b"1").await;
    put(&to, "default", "a:first", b"1").await;
    put(&to, "default", "card:0029a", b"1").await;
    put(&to, "only-to", "card:1", b"1").await;
    // As long as the other, and one byte differs.
    put(&to, "default", "card:0010", b"11").await;
    let before = contents(&to).await;
    for page_size in [1, 2, 7, 100] {
        let verification =
            copy(from.clone(), to.clone()).page_size(page_size).verify().await.unwrap();
        assert!(!verification.is_complete() && !verification.is_equal());
        let found: Vec<String> = verification.differences.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "default: a:first: extra",
                "default: card:0010: different",
                "default: card:0010a: missing",
                "default: card:0029a: extra",
                "default: z:last: missing",
                "only-from: card:1: missing",
                "only-to: card:1: extra",
            ]
        );
        assert_eq!(
            verification.to_string(),
            "verified: 3 missing, 3 extra, 1 different, 0 unreadable"
        );
        let digests = verification.spaces[&Space::default()];
        assert_eq!((digests.from.documents, digests.to.documents), (32, 32));
        assert_ne!(digests.from.digest, digests.to.digest);
    }
    let few = copy(from, to.clone()).keep_failures(2).verify().await.unwrap();
    assert_eq!((few.differences.len(), few.missing), (2, 3));
    assert_eq!(few.differences[1].kind, CopyDifferenceKind::Different);
    assert_eq!(contents(&to).await, before);
}

#[tokio::test]
async fn digests_are_the_same_in_any_store_and_with_pages_of_any_size() {
    let sqlite = Store::sqlite();
    fill(&sqlite.adapter(), &odd_documents()).await;
    let copied = memory();
    let report = copy(sqlite.adapter(), copied.clone()).run().await.unwrap();
    let whole = report.verification.unwrap();
    let again = copy(copied, sqlite.adapter()).page_size(3).verify().await.unwrap();
    assert!(again.is_equal());
    assert_eq!(again.spaces, whole.spaces);
    assert_eq!(again.to_string(), format!("verified: all {} documents equal", report.documents));
}

#[tokio::test]
async fn it_keeps_to_the_spaces_that_are_asked_for() {
    let (from, to) = (cards(3).await, cards(3).await);
    put(&to, "acme", "card:1", b"1").await;
    let all = copy(from.clone(), to.clone()).verify().await.unwrap();
    assert_eq!((all.is_complete(), all.is_equal()), (true, false));
    let one = copy(from, to).space("default").unwrap().verify().await.unwrap();
    assert!(one.is_equal());
}

#[tokio::test(start_paused = true)]
async fn it_keeps_to_the_rate() {
    let (from, to) = (cards(1_000).await, cards(1_000).await);
    let begin = Instant::now();
    let verification = copy(from, to).rate(100).page_size(50).verify().await.unwrap();
    assert!(verification.is_equal());
    assert!((9..=10).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    assert_eq!(verification.duration, begin.elapsed());
}

#[tokio::test]
async fn a_store_that_is_gone_is_an_error_and_no_difference() {
    let (from, to) = (cards(30).await, cards(30).await);
    let target = faults(&to);
    target.fail(Call::Scan, broken());
    let error = copy(from, target).verify().await.unwrap_err();
    assert_eq!(error.to_string(), "copy: broken");
}

#[tokio::test]
async fn what_is_unreadable_is_told_also_if_a_page_has_nothing_else() {
    let from: Arc<dyn Adapter> = Arc::new(FirstPageUnreadable(cards(3).await));
    let verification = copy(from, cards(3).await).keep_failures(1).verify().await.unwrap();
    assert_eq!((verification.unreadable, verification.failures.len()), (2, 1));
    assert!(!verification.is_equal() && verification.missing == 0);
}

/// A store whose first page holds two records that cannot be read, and nothing else.
#[derive(Debug)]
struct FirstPageUnreadable(Arc<dyn Adapter>);

#[async_trait::async_trait]
impl Adapter for FirstPageUnreadable {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn extensions(&self) -> Extensions<'_> {
        Extensions::none()
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        self.0.multi_get(space, keys).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        self.0.write(space, batch).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        if scan.after.is_some() {
            return self.0.scan(space, scan).await;
        }
        let damaged = || Error::new(ErrorKind::Corrupt, "damaged");
        let next = Some("a:last".parse()?);
        Ok(Page { records: Vec::new(), unreadable: vec![damaged(), damaged()], next })
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.0.spaces().await
    }

    async fn flush(&self) -> Result<()> {
        self.0.flush().await
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}

#[tokio::test]
async fn a_named_space_that_holds_nothing_is_refused_and_not_complete() {
    let (from, to) = (cards(3).await, memory());
    put(&to, "only-to", "card:1", b"1").await;
    let named = |name: &str| copy(from.clone(), to.clone()).space(name).unwrap();
    for name in ["nope", "only-to"] {
        // With a space that exists beside it, too.
        for copying in [named(name), named(name).space("default").unwrap().overwrite(true)] {
            let error = copying.run().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.space().unwrap().as_str(), name);
            let begins =
                format!("copy: the source holds no documents in space {name:?}; check its");
            assert!(error.to_string().starts_with(&begins), "{error}");
        }
    }
    assert_eq!(to.spaces().await.unwrap(), ["only-to".parse().unwrap()]);

    let error = named("nope").verify().await.unwrap_err();
    assert!(error.to_string().starts_with("copy: neither store holds documents in space \"nope\""));
    // What only the target holds is a difference.
    assert_eq!(named("only-to").verify().await.unwrap().extra, 1);

    // Without a name there is nothing to misspell; the report says that there was nothing.
    let nothing = copy(memory(), memory()).run().await.unwrap();
    assert!(nothing.to_string().ends_with("; verified: both stores are empty"), "{nothing}");
}
