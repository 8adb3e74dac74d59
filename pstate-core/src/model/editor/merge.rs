//! The difference between two texts, spliced into a third.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::lists::{before_of_after, hides_members, seen_from_stored};
use super::moved::Moved;
use super::parts::{Kind, Member, items, kind, members, unquoted};
use super::splice::{NewValue, Piece, Splice};
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::json::VERSION_MEMBER;

/// A member that an edit has changed: what it saw before and after, if the member was there.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemberChange<'t> {
    /// The name in quotes.
    pub(super) written: &'t str,
    pub(super) before: Option<&'t str>,
    pub(super) after: Option<&'t str>,
    /// The text of what the value was made from, if that is not what it replaces.
    pub(super) made_from: Option<&'t str>,
}

/// What a typed edit knows of its type.
pub(super) struct TypeView<'p> {
    /// What the type makes of a document, written as text again; `None` if it cannot be read.
    pub(super) project: &'p dyn Fn(&str) -> Option<String>,
    /// Whether to look for members that the type reads under another name.
    pub(super) resolve_aliases: bool,
}

/// One edit of a document.
pub(super) struct Merge<'t, 'p> {
    stored: &'t str,
    view: Option<TypeView<'p>>,
    moved: Moved<'t>,
    /// Where the value that is being merged stands in what the edit saw.
    path: Vec<Place<'t>>,
}

#[derive(Debug, Clone, Copy)]
enum Place<'t> {
    /// A member, by its name in quotes.
    Member(&'t str),
    Item(usize),
}

impl<'t, 'p> Merge<'t, 'p> {
    pub(super) fn new(stored: &'t str, view: Option<TypeView<'p>>) -> Self {
        Self { stored, view, moved: Moved::default(), path: Vec::new() }
    }

    /// The stored text with the changed members. `found` are the members of the stored text.
    pub(super) fn finish(
        mut self,
        found: &[Member<'t>],
        changes: &[MemberChange<'t>],
    ) -> Result<String> {
        let mut splice = Splice::new(self.stored);
        self.object(&mut splice, self.stored, found, changes)?;
        let pieces = splice.finish();
        if pieces.iter().any(|piece| matches!(piece, Piece::New(_))) {
            self.moved.add_long_numbers(self.stored)?;
        }
        self.moved.write(&pieces, self.stored.len())
    }

    /// The text that one of the changed members gets.
    pub(super) fn text_of(
        mut self,
        found: &[Member<'t>],
        changes: &[MemberChange<'t>],
        of: &MemberChange<'t>,
    ) -> Result<Option<String>> {
        self.object(&mut Splice::new(self.stored), self.stored, found, changes)?;
        self.moved.add_long_numbers(self.stored)?;
        let new = |text| NewValue { text, name: Some(of.written), replaces: of.made_from };
        of.after.map(|text| self.moved.write(&[Piece::New(new(text))], 0)).transpose()
    }

    fn value(
        &mut self,
        splice: &mut Splice<'t>,
        stored: &'t str,
        change: MemberChange<'t>,
    ) -> Result<()> {
        let before = change.before.unwrap_or_default();
        let after = change.after.unwrap_or_default();
        if before == after {
            return Ok(());
        }
        match (kind(stored), kind(before), kind(after)) {
            (Kind::Object, Kind::Object, Kind::Object) => {
                let changes = changes_between(before, after)?;
                self.object(splice, stored, &members(stored)?, &changes)
            }
            (Kind::Array, Kind::Array, Kind::Array) => self.list(splice, stored, before, after),
            _ => {
                let name = Some(change.written).filter(|name| !name.is_empty());
                self.moved.add(stored, before, name)?;
                let replaces = change.made_from.or(Some(stored));
                splice.replace(stored, vec![Piece::New(NewValue { text: after, name, replaces })]);
                Ok(())
            }
        }
    }

    fn object(
        &mut self,
        splice: &mut Splice<'t>,
        stored: &'t str,
        found: &[Member<'t>],
        changes: &[MemberChange<'t>],
    ) -> Result<()> {
        let is_root = std::ptr::eq(stored, self.stored);
        let places = Places::of(found, changes.len());
        let mut kept = vec![true; found.len()];
        let mut added: Vec<MemberChange<'t>> = Vec::new();
        let mut version = None;
        for change in changes {
            let name = unquoted(change.written)?;
            let Some(at) = places.get(&name) else {
                match self.alias(stored, found, changes, change)? {
                    Some(alias) => {
                        let member = &found[alias];
                        match change.after {
                            None => kept[alias] = false,
                            Some(_) => self.member(splice, member, *change)?,
                        }
                    }
                    None if is_root && name == VERSION_MEMBER => version = change.after,
                    None if change.after.is_some() => added.push(*change),
                    None => {}
                }
                continue;
            };
            for (earlier, member) in found[..at].iter().enumerate() {
                kept[earlier] &= member.name != name;
            }
            let member = &found[at];
            if is_root && name == VERSION_MEMBER && at > 0 {
                // It stands first.
                kept[at] = false;
                version = change.after;
            } else if let Some(after) = change.after.filter(|_| is_root && name == VERSION_MEMBER) {
                splice.replace(member.value, vec![Piece::text(after)]);
            } else if change.after.is_some() {
                self.member(splice, member, *change)?;
            } else if let Some(rest) = self.hidden_rest(member, change)? {
                splice.replace(member.value, vec![Piece::text(rest)]);
            } else {
                kept[at] = false;
                self.moved.add(
                    member.value,
                    change.before.unwrap_or_default(),
                    Some(member.written),
                )?;
            }
        }
        let last_kept = kept.iter().rposition(|kept| *kept);
        let mut insertions = Vec::with_capacity(added.len() + 1);
        if let Some(version) = version {
            let text = format!("\"{VERSION_MEMBER}\":{version}");
            insertions.push((None, vec![Piece::text(text)]));
        }
        for change in added {
            let text = change.after.unwrap_or_default();
            let name = Some(change.written);
            let value = NewValue { text, name, replaces: change.made_from };
            let pieces = vec![Piece::text(change.written), Piece::text(":"), Piece::New(value)];
            insertions.push((last_kept, pieces));
        }
        if insertions.is_empty() && kept.iter().all(|kept| *kept) {
            return Ok(());
        }
        let elements: Vec<_> =
            found.iter().map(|member| member.whole_in(stored)).zip(kept).collect();
        splice.elements(stored, &elements, insertions);
        Ok(())
    }

    /// Merges a change into the value of a stored member.
    fn member(
        &mut self,
        splice: &mut Splice<'t>,
        member: &Member<'t>,
        mut change: MemberChange<'t>,
    ) -> Result<()> {
        if change.before.is_none() {
            // The type leaves the member out while it has its default: what is in it otherwise is
            // not the type's.
            let seen = match kind(member.value) {
                Kind::Object => "{}",
                _ => "null",
            };
            change.before = Some(seen);
        }
        self.path.push(Place::Member(change.written));
        let merged = self.value(splice, member.value, change);
        self.path.pop();
        merged
    }

    fn list(
        &mut self,
        splice: &mut Splice<'t>,
        stored: &'t str,
        before: &'t str,
        after: &'t str,
    ) -> Result<()> {
        let (stored_items, before, after) = (items(stored)?, items(before)?, items(after)?);
        let matched = if self.view.is_some() {
            seen_from_stored(&stored_items, &before)?
        } else {
            Ok((0..before.len()).map(Some).collect())
        };
        let of_before = matched.map_err(|_| self.ambiguous())?;
        let stored_before: Vec<_> =
            of_before.iter().map(|at| at.map(|at| stored_items[at])).collect();
        let of_after = before_of_after(&stored_before, &before, &after)?;
        let of_after = of_after.map_err(|_| self.ambiguous())?;
        // For each item after the edit: what it was before, and where that is stored.
        let sources = of_after.into_iter().map(|at| at.and_then(|at| Some((at, of_before[at]?))));
        let mut sources: Vec<(Option<(usize, usize)>, &'t str)> = sources.zip(after).collect();
        if !of_before.iter().flatten().is_sorted() {
            // A set shows its items in an order of its own: they stay where they are stored.
            sources.sort_by_key(|(source, _)| source.map_or(usize::MAX, |(_, at)| at));
        }

        let mut kept = vec![false; stored_items.len()];
        for (_, at) in sources.iter().filter_map(|(source, _)| *source) {
            kept[at] = true;
        }
        for (before, at) in before.iter().zip(&of_before) {
            if let Some(at) = at
                && !kept[*at]
            {
                self.moved.add(stored_items[*at], before, None)?;
            }
        }
        let new = |text| Piece::New(NewValue { text, name: None, replaces: None });
        let places = sources.iter().filter_map(|(source, _)| *source).map(|(_, at)| at);
        let in_order = places.is_sorted();
        if in_order {
            let mut last = None;
            let mut insertions = Vec::new();
            for (source, after) in sources {
                match source {
                    Some((seen, at)) => {
                        last = Some(at);
                        self.item(splice, stored_items[at], seen, before[seen], after)?;
                    }
                    None => insertions.push((last, vec![new(after)])),
                }
            }
            let elements: Vec<_> = stored_items.into_iter().zip(kept).collect();
            splice.elements(stored, &elements, insertions);
            return Ok(());
        }
        let mut pieces = vec![Piece::text("[")];
        for (n, (source, after)) in sources.into_iter().enumerate() {
            if n > 0 {
                pieces.push(Piece::text(","));
            }
            match source {
                Some((seen, at)) => {
                    let mut item = Splice::new(stored_items[at]);
                    self.item(&mut item, stored_items[at], seen, before[seen], after)?;
                    pieces.extend(item.finish());
                }
                None => pieces.push(new(after)),
            }
        }
        pieces.push(Piece::text("]"));
        splice.replace(stored, pieces);
        Ok(())
    }

    fn item(
        &mut self,
        splice: &mut Splice<'t>,
        stored: &'t str,
        seen: usize,
        before: &'t str,
        after: &'t str,
    ) -> Result<()> {
        let change =
            MemberChange { written: "", before: Some(before), after: Some(after), made_from: None };
        self.path.push(Place::Item(seen));
        let merged = self.value(splice, stored, change);
        self.path.pop();
        merged
    }

    /// What stays of a member that the edit took away, if that is more than the type knew: a type
    /// that leaves its defaults out does not mean to remove the members of others.
    fn hidden_rest(
        &mut self,
        member: &Member<'t>,
        change: &MemberChange<'t>,
    ) -> Result<Option<String>> {
        let (Some(view), Some(before)) = (&self.view, change.before) else { return Ok(None) };
        let objects = kind(member.value) == Kind::Object && kind(before) == Kind::Object;
        if !objects || !hides_members(member.value, before)? {
            return Ok(None);
        }
        let changes = changes_between(before, "{}")?;
        let rest = Merge::new(member.value, None).finish(&members(member.value)?, &changes)?;
        let mut candidate = Splice::new(self.stored);
        candidate.replace(member.value, vec![Piece::text(rest.as_str())]);
        let candidate = candidate.into_text();
        self.path.push(Place::Member(change.written));
        let seen = (view.project)(&candidate);
        let is_left_out = match &seen {
            Some(seen) => value_at(seen, &self.path)?.is_none(),
            None => false,
        };
        self.path.pop();
        Ok(is_left_out.then_some(rest))
    }

    /// The stored member that the type reads under the name of a changed member, which is not
    /// stored itself.
    fn alias(
        &mut self,
        stored: &'t str,
        found: &[Member<'t>],
        changes: &[MemberChange<'t>],
        change: &MemberChange<'t>,
    ) -> Result<Option<usize>> {
        let Some(view) = self.view.as_ref().filter(|view| view.resolve_aliases) else {
            return Ok(None);
        };
        if change.before.is_none() {
            return Ok(None);
        }
        self.path.push(Place::Member(change.written));
        let holds = |alias: Option<usize>| {
            let elements: Vec<_> = found
                .iter()
                .enumerate()
                .map(|(at, member)| (member.whole_in(stored), Some(at) != alias))
                .collect();
            let last = elements.iter().rposition(|(_, kept)| *kept);
            let mut insertions = Vec::new();
            if let Some(after) = change.after {
                let member = format!("{}:{after}", change.written);
                insertions.push((last, vec![Piece::text(member)]));
            }
            let mut candidate = Splice::new(self.stored);
            candidate.elements(stored, &elements, insertions);
            let candidate = candidate.into_text();
            let Some(seen) = (view.project)(&candidate) else { return Ok(false) };
            Ok::<_, Error>(value_at(&seen, &self.path)? == change.after)
        };
        let mut alias = None;
        // Without one the member had its default.
        if !holds(None)? {
            for (at, member) in found.iter().enumerate() {
                let is_changed = changes
                    .iter()
                    .any(|change| unquoted(change.written).is_ok_and(|name| name == member.name));
                if !is_changed && holds(Some(at))? {
                    alias = Some(at);
                    break;
                }
            }
        }
        self.path.pop();
        Ok(alias)
    }

    fn ambiguous(&self) -> Error {
        let place: String = self
            .path
            .iter()
            .map(|place| match place {
                Place::Member(name) => format!(".{}", name.trim_matches('"')),
                Place::Item(at) => format!("[{at}]"),
            })
            .collect();
        Error::new(
            ErrorKind::Unsupported,
            format!(
                "list `{}`: it is not clear which of its items were changed, and they hold members \
                 that the type does not know; nothing is stored. Give each item a unique `id`, or \
                 change the list with `PState::update`",
                place.trim_start_matches('.')
            ),
        )
    }
}

/// Where the members of an object stand.
enum Places<'f, 't> {
    /// To be searched for few changes.
    List(&'f [Member<'t>]),
    ByName(HashMap<&'f str, usize, RandomState>),
}

impl<'f, 't> Places<'f, 't> {
    fn of(members: &'f [Member<'t>], changes: usize) -> Self {
        if members.len().saturating_mul(changes) <= 256 {
            return Self::List(members);
        }
        Self::ByName(members.iter().enumerate().map(|(at, it)| (&*it.name, at)).collect())
    }

    /// Of a member that is written twice the last one counts.
    fn get(&self, name: &str) -> Option<usize> {
        match self {
            Self::List(members) => members.iter().rposition(|member| member.name == name),
            Self::ByName(places) => places.get(name).copied(),
        }
    }
}

/// How two objects differ that were written in the same way.
pub(super) fn changes_between<'t>(
    before: &'t str,
    after: &'t str,
) -> Result<Vec<MemberChange<'t>>> {
    let (before, after) = (members(before)?, members(after)?);
    let old: HashMap<&str, &'t str, RandomState> =
        before.iter().map(|member| (member.written, member.value)).collect();
    let new: HashMap<&str, &'t str, RandomState> =
        after.iter().map(|member| (member.written, member.value)).collect();
    let gone = before.iter().filter(|member| !new.contains_key(member.written));
    let gone = gone.map(|member| MemberChange {
        written: member.written,
        before: Some(member.value),
        after: None,
        made_from: None,
    });
    let changed = after.iter().filter(|member| old.get(member.written) != Some(&member.value));
    let changed = changed.map(|member| MemberChange {
        written: member.written,
        before: old.get(member.written).copied(),
        after: Some(member.value),
        made_from: None,
    });
    Ok(gone.chain(changed).collect())
}

/// The value at a path of a text.
fn value_at<'t>(text: &'t str, path: &[Place<'_>]) -> Result<Option<&'t str>> {
    let mut value = text;
    for place in path {
        let found = match (place, kind(value)) {
            (Place::Member(name), Kind::Object) => {
                let found = members(value)?;
                found.iter().find(|member| member.written == *name).map(|member| member.value)
            }
            (Place::Item(at), Kind::Array) => items(value)?.get(*at).copied(),
            _ => None,
        };
        match found {
            Some(found) => value = found,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}
