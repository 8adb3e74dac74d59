//! The file system is full for a while.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};

use crate::backend::Backend;
use crate::fault::Fault;
use crate::place::Place;
use crate::round::{Round, slots_of};

pub(crate) struct FullDisk(pub(crate) Backend);

impl Fault for FullDisk {
    fn name(&self) -> &'static str {
        "full-disk"
    }

    fn backend(&self) -> Backend {
        self.0
    }

    fn place(&self) -> Result<Place, String> {
        Place::small(self.0, 16)
    }

    fn inject(&self, round: &mut Round) -> Result<(), String> {
        for _ in 0..2 {
            round.pause(50..300);
            let path = round.place.path("filler");
            let mut filler = File::create(&path).map_err(|error| error.to_string())?;
            for len in [1 << 16, 1 << 12, 1] {
                while filler.write_all(&vec![0; len]).is_ok() {}
            }
            let full = filler.write_all(&[0]).map_err(|error| error.kind());
            if full != Err(ErrorKind::StorageFull) {
                return Err(format!("the file system does not get full: {full:?}"));
            }
            round.count();
            round.pause(100..500);
            drop(filler);
            fs::remove_file(&path).map_err(|error| error.to_string())?;
            if self.0 == Backend::Sled {
                // sled's own words: a store in which a write has failed has to be opened again.
                round.workers.remove(0).finish();
                let url = round.place.url();
                round.start(&url, slots_of(0), slots_of(0))?;
            }
        }
        Ok(())
    }
}
