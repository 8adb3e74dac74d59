//! Opening a store by its URL.

use std::sync::Arc;

use pstate_core::{Adapter, Builder, Error, ErrorKind, MemoryAdapter, PState, Result};

/// Opens the store that a URL names, with its default settings.
///
/// | URL | store | feature |
/// |---|---|---|
/// | `sqlite:app.db`, `sqlite:/var/lib/app.db` | an SQLite file, made if there is none | `sqlite` |
/// | `memory:` | memory; it ends with the handle | |
///
/// For other settings make the adapter yourself and hand it to [`PState::builder`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let pstate = pstate::connect("memory:").await?.cache_bytes(16 << 20).build()?;
/// # Ok::<(), pstate::Error>(()) }).unwrap();
/// ```
///
/// # Errors
/// [`Config`](ErrorKind::Config) for a scheme that is unknown or whose feature is off, and for a
/// store that cannot be opened. What follows the scheme is never part of the error unless it is
/// the path of a file: it may hold a password.
pub async fn connect(url: &str) -> Result<Builder> {
    let (scheme, rest) = url.split_once(':').ok_or_else(|| {
        config("the URL of a store begins with its scheme, as in sqlite:app.db".to_owned())
    })?;
    let adapter: Arc<dyn Adapter> = match scheme {
        "memory" if rest.is_empty() => Arc::new(MemoryAdapter::new()),
        "memory" => return Err(config("nothing follows memory: in a URL".to_owned())),
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            Arc::new(pstate_sqlite::SqliteAdapter::open(path)?)
        }
        #[cfg(not(feature = "sqlite"))]
        "sqlite" => {
            return Err(config("for sqlite: URLs turn on the feature `sqlite`".to_owned()));
        }
        unknown => {
            return Err(config(format!(
                "no store has the scheme {unknown:?}; there are sqlite: and memory:"
            )));
        }
    };
    Ok(PState::builder(adapter))
}

fn config(why: String) -> Error {
    Error::new(ErrorKind::Config, why).in_operation("connect")
}
