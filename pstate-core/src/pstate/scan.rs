//! Reading documents in the order of their keys.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use futures_util::stream::{self, Stream, StreamExt};

use super::PState;
use crate::adapter::Scan;
use crate::document::Document;
use crate::engine::StoreItem;
use crate::error::Result;
use crate::key::{AsKey, Key};
use crate::record::{BatchMode, Write};
use crate::telemetry::{Operation, operation_span, within};

use super::write::done;

/// How many documents a page has unless something else is asked for.
const PAGE_SIZE: NonZeroUsize = NonZeroUsize::new(256).unwrap();

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
    /// all of a type, `""` for the whole space. There are no wildcards.
    ///
    /// A scan reads the store, not the cache, and does not fill it. It sees every document that is
    /// there throughout once; what comes or goes meanwhile may be seen or not. Old documents are
    /// migrated as in [`get`](PState::get).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use std::sync::Arc;
    /// # let pstate = pstate_core::PState::builder(Arc::new(pstate_core::MemoryAdapter::new())).build()?;
    /// # for id in ["a", "b", "c"] {
    /// #     pstate.put(format!("card:{id}"), &serde_json::json!({})).await?;
    /// # }
    /// use futures_util::TryStreamExt;
    ///
    /// let all: Vec<_> = pstate.scan("card:").stream().try_collect().await?;
    /// assert_eq!(all.len(), 3);
    ///
    /// let page = pstate.scan("card:").page_size(2).page().await?;
    /// let rest = pstate.scan("card:").after(page.next.unwrap())?.page().await?;
    /// assert_eq!((page.documents.len(), rest.documents.len()), (2, 1));
    /// # Ok::<(), pstate_core::Error>(()) }).unwrap();
    /// ```
    pub fn scan(&self, prefix: &str) -> ScanQuery {
        let scan = Scan { prefix: prefix.to_owned(), after: None, limit: PAGE_SIZE };
        ScanQuery { pstate: self.clone(), scan }
    }

    /// Deletes every document of this space; returns how many. Other spaces are not touched.
    ///
    /// It goes page by page and is not atomic: documents that are written meanwhile may remain, and
    /// dropping the future leaves the rest.
    pub async fn clear_space(&self) -> Result<usize> {
        let mut query = self.scan("").scan;
        let mut deleted = 0;
        let mut unreadable = Vec::new();
        loop {
            let page = self.read_page(&query).await?;
            let keys: Vec<Key> = page.records.into_iter().map(|(key, _)| key).collect();
            let items = keys
                .iter()
                .map(|key| StoreItem {
                    write: Write::delete(key.clone()),
                    version: None,
                    keep: true,
                })
                .collect();
            let engine = self.engine();
            let outcomes =
                engine.store(Operation::ClearSpace, &self.space, BatchMode::Each, items).await;
            for (key, outcome) in keys.iter().zip(outcomes) {
                done(outcome, key).map_err(|error| error.in_operation("clear_space"))?;
                deleted += 1;
            }
            unreadable.extend(page.unreadable);
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        match unreadable.into_iter().next() {
            None => Ok(deleted),
            Some(error) => Err(error.in_operation("clear_space")),
        }
    }

    async fn read_page(&self, scan: &Scan) -> Result<crate::adapter::Page> {
        self.engine().check_open()?;
        let page = self.engine().adapter.scan(&self.space, scan).await;
        page.map_err(|error| error.in_operation("scan").in_space(&self.space))
    }
}

impl ScanQuery {
    /// Begins after this key, which need not exist.
    pub fn after(mut self, key: impl AsKey) -> Result<Self> {
        self.scan.after = Some(key.to_key()?);
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
    /// Those of the read as a whole; what is wrong with a single document stands in its place.
    ///
    /// # Cost
    /// One read.
    pub async fn page(self) -> Result<DocumentPage> {
        let (engine, space) = (self.pstate.engine(), &self.pstate.space);
        let started = engine.telemetry.begin();
        let reading = self.pstate.read_page(&self.scan);
        let page = within(operation_span(Operation::Scan, space, 0), reading).await?;
        let observed = engine.telemetry.is_observed();
        let records = page.records.iter().filter(|_| observed);
        let keys: Vec<Key> = records.map(|(key, _)| key.clone()).collect();
        let documents: Vec<Result<Document>> = page
            .records
            .into_iter()
            .map(|(key, record)| engine.admit(space, &key, record))
            .chain(page.unreadable.into_iter().map(Err))
            .collect();
        engine.notice(space, documents.iter().flatten());
        engine.scanned(space, &keys, &documents, started);
        Ok(DocumentPage { documents, next: page.next })
    }

    /// All documents, page by page as they are asked for. After an error about a single document it
    /// goes on; after a failed read it ends.
    pub fn stream(self) -> impl Stream<Item = Result<Document>> + Send + Unpin {
        struct Walk {
            query: Option<ScanQuery>,
            ready: VecDeque<Result<Document>>,
        }
        let walk = Walk { query: Some(self), ready: VecDeque::new() };
        stream::unfold(walk, async |mut walk| {
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
        })
        .boxed()
    }
}
