//! Reading documents in the order of their keys.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use super::pstate::PState;
use crate::document::Document;
use crate::model::{AsKey, Error, Key, Result, check_prefix};
use crate::storage::Scan;
use crate::telemetry::Operation;

/// How many documents a page has unless something else is asked for.
pub(super) const PAGE_SIZE: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// A walk over documents in ascending byte order of their keys; made by [`PState::scan`].
#[derive(Debug, Clone)]
#[must_use = "a scan does nothing until it is streamed or paged"]
pub struct ScanQuery {
    pstate: PState,
    scan: Scan,
}

/// One page of a scan.
#[derive(Debug)]
#[non_exhaustive]
pub struct DocumentPage {
    /// The documents in order. One that cannot be read is an error in its place; errors about
    /// places that have no key come last.
    pub documents: Vec<Result<Document>>,
    /// Where the next page begins: hand it to [`ScanQuery::after`]. `None` at the end.
    pub next: Option<Key>,
}

impl PState {
    /// The documents whose key begins with `prefix`, in ascending byte order: `"base_card:"` for
    /// all of a type, `""` for the whole space. There are no wildcards, and a prefix that no key
    /// can begin with, as `"Card:"`, is an error of the first page.
    ///
    /// A scan reads the store, not the cache, and does not fill it. It sees every document that is
    /// there throughout once; what comes or goes meanwhile may be seen or not. Old documents are
    /// migrated as in [`get`](PState::get).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// # use std::sync::Arc;
    /// # let adapter = Arc::new(pstate_core::MemoryAdapter::new());
    /// # let pstate = pstate_core::PState::builder(adapter).build()?;
    /// # for id in ["a", "b", "c"] {
    /// #     pstate.put(format!("card:{id}"), &serde_json::json!({})).await?;
    /// # }
    /// let all = pstate.scan("card:").stream().collect().await?;
    /// assert_eq!(all.len(), 3);
    ///
    /// let mut cards = pstate.scan("card:").stream();
    /// while let Some(card) = cards.next().await {
    ///     println!("{}", card?.key());
    /// }
    ///
    /// let page = pstate.scan("card:").page_size(2).page().await?;
    /// let rest = pstate.scan("card:").after(page.next.unwrap())?.page().await?;
    /// assert_eq!((page.documents.len(), rest.documents.len()), (2, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn scan(&self, prefix: &str) -> ScanQuery {
        let scan = Scan { prefix: prefix.to_owned(), after: None, limit: PAGE_SIZE };
        ScanQuery { pstate: self.clone(), scan }
    }
}

impl ScanQuery {
    /// Begins after this key, which need not exist.
    pub fn after(mut self, key: impl AsKey) -> Result<Self> {
        self.scan.after = Some(key.to_key().map_err(|error| error.in_operation("scan"))?);
        Ok(self)
    }

    /// How many documents are read at once. Default 256; 0 is taken as 1.
    pub fn page_size(mut self, size: usize) -> Self {
        self.scan.limit = NonZeroUsize::new(size).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// One page.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a prefix that no key can begin with,
    /// and those of the read as a whole; what is wrong with a single document stands in its place.
    ///
    /// # Cost
    /// One read.
    pub async fn page(self) -> Result<DocumentPage> {
        let engine = self.pstate.engine();
        let call = self.pstate.call("scan", None);
        check_prefix(&self.scan.prefix).map_err(|error| call.locate(error))?;
        let operation = engine.operation(call, Operation::Scan, 0);
        let page = operation.run(engine.load_page(&operation, &self.scan)).await?;
        let located = |error: Error| call.locate(error);
        let documents = page.documents.into_iter().map(|(_, document)| document);
        let documents = documents.chain(page.unreadable.into_iter().map(Err));
        let documents = documents.map(|document| document.map_err(located)).collect();
        Ok(DocumentPage { documents, next: page.next })
    }

    /// All documents, page by page as they are asked for.
    pub fn stream(self) -> ScanStream<Document> {
        struct Walk {
            query: Option<ScanQuery>,
            ready: VecDeque<Result<Document>>,
        }
        let walk = Walk { query: Some(self), ready: VecDeque::new() };
        let items = stream::unfold(walk, async |mut walk| {
            loop {
                if let Some(document) = walk.ready.pop_front() {
                    return Some((document, walk));
                }
                let mut query = walk.query.take()?;
                match query.clone().page().await {
                    Err(error) => walk.ready.push_back(Err(error)),
                    Ok(page) => {
                        walk.ready.extend(page.documents);
                        walk.query = page.next.map(|next| {
                            query.scan.after = Some(next);
                            query
                        });
                    }
                }
            }
        });
        ScanStream { items: items.boxed() }
    }
}

/// The documents of a scan, page by page as they are asked for; made by [`ScanQuery::stream`] and
/// [`Collection::scan`](crate::Collection::scan).
///
/// It is a [`Stream`] as well, for programs that combine it with others by `futures-util`.
#[must_use = "a scan reads nothing until it is asked"]
pub struct ScanStream<T> {
    items: BoxStream<'static, Result<T>>,
}

impl<T: Send + 'static> ScanStream<T> {
    /// The next document, in ascending byte order of the keys; `None` at the end.
    ///
    /// # Errors
    /// Those of a single document, after which the scan continues, and those of a read as a whole,
    /// after which it ends.
    ///
    /// # Cancel safety
    /// Dropping the future loses no document.
    ///
    /// # Cost
    /// One read for each page.
    pub async fn next(&mut self) -> Option<Result<T>> {
        self.items.next().await
    }

    /// All documents that are left.
    ///
    /// # Errors
    /// The first that occurs, also about a single document; [`next`](Self::next) tells them apart.
    ///
    /// # Cost
    /// One read for each page, and the memory of all documents.
    pub async fn collect(self) -> Result<Vec<T>> {
        self.items.try_collect().await
    }

    /// The same documents as something else.
    pub(super) fn map_items<U: 'static>(
        self,
        map: impl FnMut(Result<T>) -> Result<U> + Send + 'static,
    ) -> ScanStream<U> {
        ScanStream { items: self.items.map(map).boxed() }
    }
}

impl<T> Stream for ScanStream<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        self.items.poll_next_unpin(cx)
    }
}

impl<T> fmt::Debug for ScanStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanStream").finish_non_exhaustive()
    }
}
