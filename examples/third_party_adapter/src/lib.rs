//! An adapter for [PState](pstate_core) that keeps each record in a file of its own.
//!
//! It is the example of the guide "Write your own adapter": small, but with the whole contract
//! kept, for any number of handles and processes on one directory.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use std::sync::Arc;
//!
//! use pstate_core::PState;
//! use pstate_directory::DirectoryAdapter;
//! use serde_json::json;
//!
//! # let temporary = tempfile::tempdir()?;
//! # let path = temporary.path().join("store");
//! let pstate = PState::builder(Arc::new(DirectoryAdapter::open(&path)?)).build()?;
//! pstate.put("card:hola", &json!({"front": "hola"})).await?;
//! assert!(pstate.get("card:hola").await?.is_some());
//! assert_eq!(std::fs::read(path.join("space-default/card%3ahola"))?, br#"{"front":"hola"}"#);
//! pstate.close().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! From the outside in: `backend` is what PState calls and decides when work may run, `store` and
//! `scan` do the work, `file_name` says where a record lies, `lock` keeps writers apart, `disk`
//! makes a change atomic and durable, `error` translates failures.

mod backend;
mod disk;
mod error;
mod file_name;
mod lock;
mod scan;
mod store;

pub use backend::DirectoryAdapter;
