//! What the program shows on the terminal.

use std::collections::BTreeMap;

use pstate::{Document, Loaded, Stats};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::Result;
use crate::documents::{Card, Deck, Translation};

/// Prints a deck with its easiest cards.
pub(crate) fn print_deck(loaded: &Loaded, most: usize) -> Result<()> {
    let deck = loaded.root().decode::<Deck>()?;
    let mut cards = Vec::new();
    for document in loaded.follow(loaded.root(), "cards")? {
        cards.push((document.decode::<Card>()?, document));
    }
    cards.sort_by_key(|(card, _)| card.rank);

    println!("  {}", deck.name);
    if !deck.description.is_empty() {
        println!("  {}", deck.description);
    }
    println!();
    let mut rows = vec![["", "English", "Español", "Français", "日本語"].map(str::to_owned)];
    for (card, document) in cards.iter().take(most) {
        let texts = translations(loaded, document)?;
        let text = |lang: &str| texts.get(lang).cloned().unwrap_or_default();
        let rank = card.rank.to_string();
        rows.push([rank, card.front.clone(), text("es"), text("fr"), text("ja")]);
    }
    print_table(&rows);
    let left = cards.len().saturating_sub(most);
    if left > 0 {
        println!("  and {left} more");
    }
    Ok(())
}

/// A card's translations by language. The deck's preload has read them, so this reads nothing.
fn translations(loaded: &Loaded, card: &Document) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for document in loaded.follow(card, "translations")? {
        let translation = document.decode::<Translation>()?;
        let text = match &translation.reading {
            Some(reading) if *reading != translation.text => {
                format!("{} ({reading})", translation.text)
            }
            _ => translation.text.clone(),
        };
        texts.insert(translation.lang.clone(), text);
    }
    Ok(texts)
}

/// Prints columns that line up, also with characters that are two columns wide.
fn print_table<const N: usize>(rows: &[[String; N]]) {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].width()).max().unwrap_or_default()
    });
    for row in rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(widths) {
            line.push(' ');
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.width() + 1));
        }
        println!("{}", line.trim_end());
    }
}

/// Prints the members of a document before and after.
pub(crate) fn print_change(before: &Document, after: &Document) -> Result<()> {
    let empty = pstate::Object::new();
    let (old, new) = (before.value()?.as_object(), after.value()?.as_object());
    let (old, new) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let shown =
        |value: Option<&Value>| value.map_or(String::new(), |it| shortened(&it.to_string()));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let mut rows = vec![["", "stored", "read"].map(str::to_owned)];
    rows.extend(
        names.into_iter().map(|name| [name.clone(), shown(old.get(name)), shown(new.get(name))]),
    );
    print_table(&rows);
    Ok(())
}

/// The beginning of a long text.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 52;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(SHOWN - 1).collect::<String>())
}

pub(crate) fn print_statistics(stats: &Stats) {
    let rate =
        |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{:.0}%", rate * 100.0));
    let mut rows = vec![["", "hits", "misses", "hit rate"].map(str::to_owned)];
    for (name, cache) in &stats.by_type {
        let (hits, misses) = (cache.hits.to_string(), cache.misses.to_string());
        rows.push([name.clone(), hits, misses, rate(cache.hit_rate())]);
    }
    print_table(&rows);
    println!(
        "\n  {} reads of {} keys, {} writes; {} documents in {} KiB of cache",
        stats.reads,
        stats.keys_read,
        stats.writes,
        stats.cache_entries,
        stats.cache_bytes / 1024
    );
    let writer = &stats.write_back;
    println!(
        "  {} migrations; {} written back in {} flushes, {} conflicts, {} waiting",
        stats.migrations, writer.stored, writer.flushes, writer.conflicts, writer.queued
    );
}

pub(crate) fn heading(text: &str) {
    println!("\n{text}\n{}", "─".repeat(text.width()));
}
