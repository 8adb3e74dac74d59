//! Scans, and their faults.

use pstate_core::{Error, ErrorKind, Page, Result, Scan, Space};

use crate::adapter::LogAdapter;
use crate::fault::Fault;
use crate::store::{Place, log_error};

impl LogAdapter {
    pub(crate) fn read_page(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.check_open()?;
        let shared = &self.shared;
        let state = shared.current().map_err(log_error)?;
        let in_space =
            shared.place(space, &scan.after.clone().unwrap_or_else(|| "a:a".parse().unwrap())).0;
        let joined =
            if self.is(Fault::JoinsSpaceAndKey) { space.to_string() } else { String::new() };
        let prefix = joined + &scan.prefix;
        let like = |name: &str| {
            let same = |(pattern, c): (char, char)| pattern == '_' || pattern == c;
            match scan.prefix.split_once('%') {
                Some((before, _)) => name.starts_with(before),
                None => {
                    name.chars().count() >= scan.prefix.chars().count()
                        && scan.prefix.chars().zip(name.chars()).all(same)
                }
            }
        };
        let matches = |place: &Place| {
            place.0 == in_space
                && if self.is(Fault::PrefixByLike) {
                    like(&place.1)
                } else {
                    place.1.starts_with(&prefix)
                }
        };
        let source = if self.is(Fault::ReadsFromAReplica) { &state.before } else { &state.records };
        let mut found: Vec<_> =
            source.iter().filter(|(place, stored)| matches(place) && !stored.hidden).collect();
        match shared.fault {
            Some(Fault::OrdersByLocale) => {
                found.sort_by_key(|(_, stored)| stored.key.as_str().to_lowercase());
            }
            Some(Fault::OrdersByUtf16) => {
                found.sort_by_key(|(_, stored)| {
                    stored.key.as_str().encode_utf16().collect::<Vec<_>>()
                });
            }
            _ => {}
        }
        if let Some(after) = &scan.after {
            if let Some(number) =
                after.id().strip_prefix("offset-").filter(|_| self.is(Fault::PagesByOffset))
            {
                found = found.split_off(number.parse::<usize>().unwrap().min(found.len()));
            } else {
                let inclusive = self.is(Fault::RepeatsTheBoundary);
                found
                    .retain(|(_, stored)| stored.key > *after || inclusive && stored.key == *after);
            }
        }
        let limit = if self.is(Fault::OverflowsTheLimit) {
            scan.limit.get().checked_add(1).expect("attempt to add with overflow") - 1
        } else {
            scan.limit.get()
        };
        let mut left = found.split_off(limit.min(found.len()));
        if self.is(Fault::DropsTheLastPage) && left.len() < limit {
            left.clear();
        }
        let mut page = Page::default();
        let last = found.last().map(|(_, stored)| stored.key.clone());
        let number = found.len();
        for (place, stored) in found {
            if !state.damaged.contains(place) {
                page.records.push((stored.key.clone(), shared.record(stored)));
                continue;
            }
            let error = Error::new(ErrorKind::Corrupt, "damaged").at_key(&stored.key);
            if self.is(Fault::StopsAtDamage) {
                return Err(error);
            }
            page.unreadable.push(error);
        }
        page.next = match (shared.fault, left.first()) {
            (_, None) => None,
            (Some(Fault::SkipsTheBoundary), Some((_, first))) => Some(first.key.clone()),
            (Some(Fault::PagesByOffset), _) => {
                let before =
                    scan.after.as_ref().and_then(|after| after.id().strip_prefix("offset-"));
                let before = before.map_or(0, |number| number.parse::<usize>().unwrap());
                Some(format!("z:offset-{}", before + number).parse().unwrap())
            }
            _ => last,
        };
        Ok(page)
    }
}
