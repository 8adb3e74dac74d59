//! Which item of a list an edit has changed, moved, added or removed.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::parts::{Kind, Member, items, kind, members};
use crate::model::error::Result;
use crate::model::reference::REF_MEMBER;

/// The members by which items are known, in the order in which they are tried.
const IDENTITIES: [&str; 5] = [REF_MEMBER, "id", "_id", "uuid", "key"];

/// How many pairs of items are compared at most to find which of a set's are which.
const MAX_PAIRS: usize = 1_000_000;

/// How many are compared at most where a list keeps its order, or nothing but digits is at stake.
const FEW_PAIRS: usize = 10_000;

/// It cannot be said which stored item an item of the edit was, and a guess could lose members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

type Matched = std::result::Result<Vec<Option<usize>>, Ambiguous>;

/// For each item that a typed edit saw, the stored item that it was read from.
///
/// A `Vec` shows the items in their order. A set shows them in any order, and a lenient type may
/// leave some out.
pub(super) fn seen_from_stored(stored: &[&str], seen: &[&str]) -> Result<Matched> {
    if stored.iter().chain(seen).all(|item| kind(item) == Kind::Scalar) {
        return Ok(scalars_from_stored(stored, seen));
    }
    if stored.len() == seen.len() && in_order(stored, seen)? {
        return Ok(Ok((0..seen.len()).map(Some).collect()));
    }
    if stored.len().saturating_mul(seen.len()) > MAX_PAIRS {
        return Ok(Err(Ambiguous));
    }
    let mut free: Vec<bool> = vec![true; stored.len()];
    let mut matched = Vec::with_capacity(seen.len());
    for seen in seen {
        let mut found: Option<usize> = None;
        for (at, stored_item) in stored.iter().enumerate().filter(|(at, _)| free[*at]) {
            if !shows(stored_item, seen)? {
                continue;
            }
            match found {
                None => found = Some(at),
                Some(other) if stored[other] == *stored_item => {}
                Some(_) => return Ok(Err(Ambiguous)),
            }
        }
        match found {
            Some(at) => free[at] = false,
            // A scalar that was stored in another form has nothing to lose.
            None if kind(seen) == Kind::Scalar => {}
            None => return Ok(Err(Ambiguous)),
        }
        matched.push(found);
    }
    // What the type left out would be lost, unless it is a scalar that is shown once already.
    let lost = |(at, item): (usize, &&str)| {
        free[at] && (kind(item) != Kind::Scalar || !seen.contains(item))
    };
    if stored.iter().enumerate().any(lost) && stored.len() != seen.len() {
        return Ok(Err(Ambiguous));
    }
    Ok(Ok(matched))
}

/// The same for lists of scalars: those in the same place, then those with the same text, then
/// those in another form.
fn scalars_from_stored(stored: &[&str], seen: &[&str]) -> Matched {
    let mut free = vec![true; stored.len()];
    let mut matched: Vec<Option<usize>> = vec![None; seen.len()];
    for (at, item) in seen.iter().enumerate().take(stored.len()) {
        if stored[at] == *item || same_scalar(stored[at], item) {
            (matched[at], free[at]) = (Some(at), false);
        }
    }
    let mut by_text: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (at, item) in stored.iter().enumerate().filter(|(at, _)| free[*at]) {
        by_text.entry(item).or_default().push_back(at);
    }
    for (item, matched) in seen.iter().zip(&mut matched).filter(|(_, it)| it.is_none()) {
        if let Some(at) = by_text.get_mut(item).and_then(VecDeque::pop_front) {
            (*matched, free[at]) = (Some(at), false);
        }
    }
    let mut pairs = 0;
    for (item, matched) in seen.iter().zip(&mut matched).filter(|(_, it)| it.is_none()) {
        let mut others = (0..stored.len()).filter(|at| free[*at]).take(FEW_PAIRS);
        let found = others.find(|at| {
            pairs += 1;
            pairs <= FEW_PAIRS && same_scalar(stored[*at], item)
        });
        if let Some(at) = found {
            (*matched, free[at]) = (Some(at), false);
        }
    }
    // What a lenient type left out would be lost; not what a set holds once.
    let shown: BTreeSet<&str> = seen.iter().copied().collect();
    let is_lost = |at: usize| free[at] && !shown.contains(stored[at]);
    if stored.len() != seen.len() && (0..stored.len()).any(is_lost) {
        return Err(Ambiguous);
    }
    Ok(matched)
}

/// Whether each item is seen where it is stored: none shows another one instead.
fn in_order(stored: &[&str], seen: &[&str]) -> Result<bool> {
    let mut pairs = 0;
    for (at, seen_item) in seen.iter().enumerate() {
        if shows(stored[at], seen_item)? {
            continue;
        }
        // The type writes it in another form, or it is elsewhere: in a set, soon one is.
        for stored in stored {
            pairs += 1;
            if pairs > FEW_PAIRS {
                return Ok(true);
            }
            if shows(stored, seen_item)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Whether what was seen can be what was stored, without members that the type does not know.
fn shows(stored: &str, seen: &str) -> Result<bool> {
    if stored == seen {
        return Ok(true);
    }
    match (kind(stored), kind(seen)) {
        (Kind::Object, Kind::Object) => {
            let stored = members(stored)?;
            for member in members(seen)? {
                let found = stored.iter().rfind(|stored| stored.name == member.name);
                if let Some(found) = found
                    && !shows(found.value, member.value)?
                {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Kind::Array, Kind::Array) => {
            let (stored, seen) = (items(stored)?, items(seen)?);
            if stored.len() != seen.len() {
                return Ok(false);
            }
            for (stored, seen) in stored.into_iter().zip(seen) {
                if !shows(stored, seen)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Kind::Scalar, Kind::Scalar) => Ok(same_scalar(stored, seen)),
        _ => Ok(false),
    }
}

fn same_scalar(one: &str, other: &str) -> bool {
    let is_plain = |scalar: &str| scalar.starts_with('"') && !scalar.contains('\\');
    if is_plain(one) && is_plain(other) {
        return one == other;
    }
    let text = |scalar: &str| serde_json::from_str::<String>(scalar).ok();
    let number = |scalar: &str| serde_json::from_str::<f64>(scalar).ok();
    match (text(one), text(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => number(one).is_some_and(|one| number(other) == Some(one)),
        _ => false,
    }
}

/// For each item after the edit, the item before it that it was.
///
/// `stored` is what each item before the edit is stored as. Only where a guess could lose members
/// that the edit did not see, the answer is [`Ambiguous`].
pub(super) fn before_of_after(
    stored: &[Option<&str>],
    before: &[&str],
    after: &[&str],
) -> Result<Matched> {
    let identified = by_identity(before, after)?;
    let is_identified = identified.is_some();
    let mut matched = identified.unwrap_or_else(|| by_text(before, after));
    // Items that look alike, and of which some are gone: which ones cannot be said.
    if before.len() != after.len() && alike_items_differ(stored, before, after) {
        return Ok(Err(Ambiguous));
    }
    let used: BTreeSet<usize> = matched.iter().flatten().copied().collect();
    let mut gone: Vec<usize> = (0..before.len()).filter(|at| !used.contains(at)).collect();
    let new: Vec<usize> = (0..after.len()).filter(|at| matched[*at].is_none()).collect();
    if gone.is_empty() || new.is_empty() {
        return Ok(Ok(matched));
    }
    let same_places = before.len() == after.len() && gone == new;
    if is_identified || !same_places {
        let mut hiding = BTreeSet::new();
        for at in &gone {
            if let Some(stored) = stored[*at]
                && hides_members(stored, before[*at])?
            {
                hiding.insert(*at);
            }
        }
        // An item with another identity is another item. Without identities a guess would do harm.
        if !is_identified && !hiding.is_empty() {
            return Ok(Err(Ambiguous));
        }
        gone.retain(|at| !hiding.contains(at));
    }
    if same_places {
        for at in gone {
            matched[at] = Some(at);
        }
    } else {
        by_likeness(before, after, &gone, &new, &mut matched)?;
    }
    Ok(Ok(matched))
}

/// By a member that all items have, with another value in each.
fn by_identity(before: &[&str], after: &[&str]) -> Result<Option<Vec<Option<usize>>>> {
    if before.iter().chain(after).any(|item| kind(item) != Kind::Object) {
        return Ok(None);
    }
    let before: Vec<_> = before.iter().map(|item| members(item)).collect::<Result<_>>()?;
    let after: Vec<_> = after.iter().map(|item| members(item)).collect::<Result<_>>()?;
    Ok(IDENTITIES.into_iter().find_map(|identity| {
        let known = by_unique_member(&before, identity)?;
        let now = by_unique_member(&after, identity)?;
        let mut matched = vec![None; after.len()];
        for (value, at) in now {
            matched[at] = known.get(value).copied();
        }
        Some(matched)
    }))
}

/// The items by the value of a member, if each has it and with another value.
fn by_unique_member<'t>(items: &[Vec<Member<'t>>], name: &str) -> Option<HashMap<&'t str, usize>> {
    let mut by_value = HashMap::with_capacity(items.len());
    for (at, members) in items.iter().enumerate() {
        let value = members.iter().find(|member| member.name == name)?.value;
        let is_new = by_value.insert(value, at).is_none();
        (kind(value) == Kind::Scalar && value != "null" && is_new).then_some(())?;
    }
    Some(by_value)
}

/// Those with the same text: from both ends, then wherever they have moved to.
fn by_text(before: &[&str], after: &[&str]) -> Vec<Option<usize>> {
    let mut matched = vec![None; after.len()];
    let shorter = before.len().min(after.len());
    let front = (0..shorter).take_while(|at| before[*at] == after[*at]).count();
    let back = (0..shorter - front)
        .take_while(|at| before[before.len() - 1 - at] == after[after.len() - 1 - at])
        .count();
    for (at, matched) in matched.iter_mut().take(front).enumerate() {
        *matched = Some(at);
    }
    for at in 0..back {
        matched[after.len() - 1 - at] = Some(before.len() - 1 - at);
    }
    let mut between: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (at, item) in before.iter().enumerate().take(before.len() - back).skip(front) {
        between.entry(item).or_default().push_back(at);
    }
    for (at, item) in after.iter().enumerate().take(after.len() - back).skip(front) {
        matched[at] = between.get_mut(item).and_then(VecDeque::pop_front);
    }
    matched
}

/// Whether items that look alike before the edit are stored differently, and some of them are gone.
fn alike_items_differ(stored: &[Option<&str>], before: &[&str], after: &[&str]) -> bool {
    let mut alike: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, item) in before.iter().enumerate() {
        alike.entry(item).or_default().push(at);
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    for item in after {
        *left.entry(item).or_default() += 1;
    }
    alike.into_iter().filter(|(_, places)| places.len() > 1).any(|(item, places)| {
        let first = stored[places[0]];
        let differ = places.iter().any(|at| {
            stored[*at] != first && stored[*at].is_some_and(|text| kind(text) != Kind::Scalar)
        });
        differ && left.get(item).copied().unwrap_or(0) < places.len()
    })
}

/// Whether a stored value has members, at any depth, that were not seen.
pub(super) fn hides_members(stored: &str, seen: &str) -> Result<bool> {
    if stored == seen {
        return Ok(false);
    }
    match (kind(stored), kind(seen)) {
        (Kind::Object, Kind::Object) => {
            let seen = members(seen)?;
            let seen: HashMap<_, _> =
                seen.iter().map(|member| (&*member.name, member.value)).collect();
            for member in members(stored)? {
                match seen.get(&*member.name) {
                    Some(seen) if !hides_members(member.value, seen)? => {}
                    _ => return Ok(true),
                }
            }
            Ok(false)
        }
        (Kind::Array, Kind::Array) => {
            let (stored, seen) = (items(stored)?, items(seen)?);
            if stored.len() != seen.len() {
                return Ok(true);
            }
            for (stored, seen) in stored.into_iter().zip(seen) {
                if hides_members(stored, seen)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Kind::Scalar, _) => Ok(false),
        _ => Ok(true),
    }
}

/// The rest by how much they have in common. Nothing but the digits of numbers and the order of
/// members depends on it.
fn by_likeness(
    before: &[&str],
    after: &[&str],
    gone: &[usize],
    new: &[usize],
    matched: &mut [Option<usize>],
) -> Result<()> {
    if gone.len().saturating_mul(new.len()) > FEW_PAIRS {
        return Ok(());
    }
    let gone: Vec<_> =
        gone.iter().map(|at| Ok((*at, parts(before[*at])?))).collect::<Result<Vec<_>>>()?;
    let mut free = vec![true; gone.len()];
    for at in new {
        let parts = parts(after[*at])?;
        let common = |(n, (_, other)): (usize, &(usize, BTreeSet<_>))| {
            (if free[n] { other.intersection(&parts).count() } else { 0 }, n)
        };
        // Of equally like ones the first.
        let likest =
            gone.iter().enumerate().map(common).max_by_key(|(common, n)| (*common, usize::MAX - n));
        if let Some((common, n)) = likest
            && common > 0
        {
            free[n] = false;
            matched[*at] = Some(gone[n].0);
        }
    }
    Ok(())
}

/// The members or items of a value, for comparison.
fn parts(value: &str) -> Result<BTreeSet<(&str, &str)>> {
    Ok(match kind(value) {
        Kind::Object => members(value)?.into_iter().map(|it| (it.written, it.value)).collect(),
        Kind::Array => items(value)?.into_iter().map(|item| ("", item)).collect(),
        Kind::Scalar => BTreeSet::new(),
    })
}
