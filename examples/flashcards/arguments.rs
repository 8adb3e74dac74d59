//! What the user says on the command line.

use lexopt::prelude::*;

const HELP: &str = "\
Imports three decks of flashcards into a store, reads them back as a graph, and brings an old deck up to date while reading it

Usage: flashcards [OPTIONS]

Options:
      --store <URL>  Keep everything in this store, such as sqlite:FILE; it is imported into again if it exists
      --deck <DECK>  The deck to show: kitchen, travel or nature [default: kitchen]
      --cards <N>    How many of its cards to print [default: 12]
  -h, --help         Print help

Without --store it is a temporary SQLite file. With --store sqlite:FILE, look inside afterwards:
  sqlite3 FILE \"select key, value ->> 'front' from pstate where key like 'base_card:%' limit 5\"
The features sled and redis add stores: cargo run --example flashcards --features sled -- --store sled:DIRECTORY
";

pub(crate) struct Arguments {
    pub(crate) store: Option<String>,
    pub(crate) deck: String,
    pub(crate) cards: usize,
}

impl Arguments {
    /// Reads the command line. `--help` prints the help and exits.
    pub(crate) fn parse() -> Result<Self, lexopt::Error> {
        let mut arguments = Self { store: None, deck: "kitchen".into(), cards: 12 };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("store") => arguments.store = Some(parser.value()?.string()?),
                Long("deck") => arguments.deck = parser.value()?.string()?,
                Long("cards") => {
                    let cards = parser.value()?.string()?;
                    arguments.cards = cards
                        .parse()
                        .map_err(|_| format!("--cards needs a number, not {cards:?}"))?;
                }
                Short('h') | Long("help") => {
                    print!("{HELP}");
                    std::process::exit(0);
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(arguments)
    }
}
