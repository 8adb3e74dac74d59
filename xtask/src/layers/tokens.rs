use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::path::{Path, line, name};

/// The paths that a macro's tokens show: names joined by `::`, with the groups of a `use` item;
/// methods called on `self`, as paths from `Self`; and single names.
pub(super) fn paths(tokens: &TokenStream) -> Vec<Path> {
    let mut paths = Vec::new();
    collect(tokens.clone(), &mut paths);
    paths
}

fn collect(tokens: TokenStream, paths: &mut Vec<Path>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        at = match &tokens[at] {
            TokenTree::Group(group) => {
                collect(group.stream(), paths);
                at + 1
            }
            // `pub(in crate::room)` says who sees something, and imports nothing.
            TokenTree::Ident(word) if word == "pub" && is_in_parentheses(tokens.get(at + 1)) => {
                at + 2
            }
            TokenTree::Ident(word) if word == "self" && is_sign(tokens.get(at + 1), '.') => {
                if let (Some(TokenTree::Ident(method)), true) =
                    (tokens.get(at + 2), is_in_parentheses(tokens.get(at + 3)))
                {
                    let segments = vec!["Self".to_owned(), name(method)];
                    paths.push(Path { segments, line: line(method) });
                }
                at + 2
            }
            // `Vec::<u8>::new`, `::std::mem`, `'a`: what stands in front says that this is no path
            // of the module.
            TokenTree::Ident(_) if is_continued(&tokens[..at]) => at + 1,
            TokenTree::Ident(_) => follow(&tokens, at, &[], paths),
            _ => at + 1,
        }
    }
}

/// Reads the path that begins with the name at `start`, and returns where it ends.
fn follow(tokens: &[TokenTree], start: usize, prefix: &[String], paths: &mut Vec<Path>) -> usize {
    let TokenTree::Ident(first) = &tokens[start] else { return start + 1 };
    let mut segments = prefix.to_vec();
    segments.push(name(first));
    let mut at = start + 1;
    while is_sign(tokens.get(at), ':') && is_sign(tokens.get(at + 1), ':') {
        match tokens.get(at + 2) {
            Some(TokenTree::Ident(next)) => {
                segments.push(name(next));
                at += 3;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                branch(group.stream(), &segments, paths);
                return at + 3;
            }
            _ => break,
        }
    }
    paths.push(Path { segments, line: line(first) });
    at
}

/// Reads the group of a `use` item.
fn branch(tokens: TokenStream, prefix: &[String], paths: &mut Vec<Path>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        at = match &tokens[at] {
            TokenTree::Ident(word) if word == "self" => {
                paths.push(Path { segments: prefix.to_vec(), line: line(word) });
                at + 1
            }
            // The new name is of no interest.
            TokenTree::Ident(word) if word == "as" => at + 2,
            _ => follow(&tokens, at, prefix, paths),
        };
    }
}

/// Whether these tokens end in the middle of a path, or of a lifetime.
fn is_continued(tokens: &[TokenTree]) -> bool {
    let last = tokens.last();
    let second = tokens.len().checked_sub(2).and_then(|at| tokens.get(at));
    is_sign(last, '\'') || is_sign(last, ':') && is_sign(second, ':')
}

fn is_sign(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

fn is_in_parentheses(token: Option<&TokenTree>) -> bool {
    let parentheses = Delimiter::Parenthesis;
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == parentheses)
}
