use proc_macro2::Ident;

/// Names joined by `::`.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) segments: Vec<String>,
    /// The line of the first one.
    pub(super) line: usize,
}

/// A name, without the sign that makes a keyword one.
pub(super) fn name(ident: &Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

pub(super) fn line(ident: &Ident) -> usize {
    ident.span().start().line
}
