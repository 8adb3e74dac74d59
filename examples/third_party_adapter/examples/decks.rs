//! A deck and its cards in a directory, and what the directory looks like then.
//!
//!     cargo run --example decks -- DIRECTORY

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pstate::{Adapter, PState, RetryLayer, TimeoutLayer};
use pstate_directory::DirectoryAdapter;
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os()
        .nth(1)
        .map_or_else(|| std::env::temp_dir().join("pstate-decks"), PathBuf::from);
    let adapter: Arc<dyn Adapter> = Arc::new(DirectoryAdapter::open(&path)?);
    let adapter = Arc::new(TimeoutLayer::new(adapter, Duration::from_secs(5)));
    let adapter = Arc::new(RetryLayer::new(adapter));
    let pstate = PState::builder(adapter).build()?;

    let cards = [("hola", "hello"), ("adiós", "goodbye"), ("gracias", "thank you")];
    for (front, back) in cards {
        pstate.put(format!("card:{front}"), &json!({"front": front, "back": back})).await?;
    }
    let references = cards.map(|(front, _)| json!({"$ref": format!("card:{front}")}));
    pstate.put("deck:es", &json!({"name": "Spanish", "cards": references})).await?;

    if let Some(loaded) = pstate.preload("deck:es", "cards").await? {
        for card in loaded.follow(loaded.root(), "cards")? {
            println!("{} {}", card.key(), card.as_str());
        }
    }
    pstate.close().await?;

    for entry in path.join("space-default").read_dir()? {
        println!("{}", entry?.path().display());
    }
    Ok(())
}
