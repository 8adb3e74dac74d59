//! A symbolic link to the file leads to another file while the first one is open.

use std::fs;
use std::os::unix::fs::symlink;

use crate::backend::Backend;
use crate::fault::Fault;
use crate::round::{Round, slots_of};

pub(crate) struct LinkRetargeted;

impl Fault for LinkRetargeted {
    fn name(&self) -> &'static str {
        "link-retargeted"
    }

    fn backend(&self) -> Backend {
        Backend::Sqlite
    }

    fn inject(&self, round: &mut Round) -> Result<(), String> {
        let (link, url) = (round.place.path("link"), round.place.url_of("link"));
        let failed = |error: std::io::Error| error.to_string();
        symlink("first", &link).map_err(failed)?;
        round.start(&url, slots_of(2), slots_of(2))?;
        round.pause(50..300);
        let next = round.place.path("next-link");
        symlink("second", &next).map_err(failed)?;
        fs::rename(&next, &link).map_err(failed)?;
        round.count();
        round.start(&url, slots_of(3), slots_of(3))?;
        round.pause(100..400);
        round.truth = vec![
            (0..slots_of(1).end, round.place.url()),
            (slots_of(2), round.place.url_of("first")),
            (slots_of(3), round.place.url_of("second")),
        ];
        Ok(())
    }
}
