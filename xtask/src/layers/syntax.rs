use std::collections::BTreeMap;

use syn::visit::{self, Visit};
use syn::{ItemUse, UseTree, Visibility};

use super::path::{Path, line, name};
use super::test_only::is_test_only;
use super::tokens;

/// What one module says about other modules, without what only tests compile.
#[derive(Debug, Default)]
pub(super) struct Syntax {
    pub(super) children: Vec<Child>,
    pub(super) items: Vec<Item>,
    pub(super) imports: Vec<Import>,
    pub(super) impls: Vec<Impl>,
    /// Paths of several names in code.
    pub(super) paths: Vec<Path>,
    /// Single names in code, with the first line of each: a glob may bring them.
    pub(super) names: BTreeMap<String, usize>,
}

/// A `mod` item.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) test_only: bool,
    /// The file that `#[path]` names.
    pub(super) path: Option<String>,
    /// What stands in braces; without it, the module has a file.
    pub(super) body: Option<Syntax>,
}

/// Anything that is neither `mod` nor `use`.
#[derive(Debug)]
pub(super) struct Item {
    /// The keyword: `struct`, `impl`.
    pub(super) keyword: &'static str,
    /// The name, if it has one.
    pub(super) name: Option<String>,
    pub(super) line: usize,
    /// A macro that is reached from the crate's root.
    pub(super) exported: bool,
}

/// One name that a `use` item brings.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
    pub(super) brings: Brings,
    /// `pub use`, or restricted to more than the module itself.
    pub(super) is_reexport: bool,
}

/// An `impl` block.
#[derive(Debug)]
pub(super) struct Impl {
    /// The path of its type.
    pub(super) target: Vec<String>,
    /// The functions that it defines, if it is of no trait.
    pub(super) methods: Vec<String>,
    /// The functions that it calls of `self` and `Self`.
    pub(super) calls: Vec<(String, usize)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Brings {
    Name(String),
    All,
}

impl Syntax {
    /// Reads a file.
    ///
    /// # Errors
    /// If it is not Rust: the line, and what is wrong there.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let file = syn::parse_file(text)
            .map_err(|error| (error.span().start().line, error.to_string()))?;
        if is_test_only(&file.attrs) { Ok(Self::default()) } else { Ok(Self::of(&file.items)) }
    }

    fn of(items: &[syn::Item]) -> Self {
        let mut reader = Reader { syntax: Self::default(), in_impl: false };
        for item in items {
            reader.read(item);
        }
        reader.syntax
    }

    fn name(&mut self, name: String, line: usize) {
        self.names.entry(name).or_insert(line);
    }
}

struct Reader {
    syntax: Syntax,
    /// Whether the last of its `impl` blocks is being read.
    in_impl: bool,
}

impl Reader {
    /// Reads an item of the module itself.
    fn read(&mut self, item: &syn::Item) {
        if let syn::Item::Mod(module) = item {
            self.read_module(module);
            return;
        }
        if is_test_only(attributes(item)) {
            return;
        }
        if !matches!(item, syn::Item::Use(_)) {
            self.syntax.items.push(describe(item));
        }
        self.visit_item(item);
    }

    fn read_module(&mut self, module: &syn::ItemMod) {
        let test_only = is_test_only(&module.attrs);
        let body = module.content.as_ref().filter(|_| !test_only);
        self.syntax.children.push(Child {
            name: name(&module.ident),
            line: line(&module.ident),
            test_only,
            path: path_attribute(&module.attrs),
            body: body.map(|(_, items)| Syntax::of(items)),
        });
    }

    fn read_use(&mut self, tree: &UseTree, prefix: &mut Vec<String>, is_reexport: bool) {
        let (last, bound) = match tree {
            UseTree::Path(path) => {
                prefix.push(name(&path.ident));
                self.read_use(&path.tree, prefix, is_reexport);
                prefix.pop();
                return;
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.read_use(tree, prefix, is_reexport);
                }
                return;
            }
            UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                let segments = prefix.clone();
                self.import(Import { segments, line, brings: Brings::All, is_reexport });
                return;
            }
            UseTree::Name(single) => (&single.ident, &single.ident),
            UseTree::Rename(rename) => (&rename.ident, &rename.rename),
        };
        let mut segments = prefix.clone();
        let mut bound_name = name(bound);
        if last == "self" && !segments.is_empty() {
            if bound == "self" {
                bound_name = segments.last().cloned().unwrap_or_default();
            }
        } else {
            segments.push(name(last));
        }
        let brings = Brings::Name(bound_name);
        self.import(Import { segments, line: line(last), brings, is_reexport });
    }

    fn import(&mut self, import: Import) {
        self.syntax.imports.push(import);
    }

    fn all(&mut self, paths: Vec<Path>) {
        for path in paths {
            self.path(path);
        }
    }

    fn path(&mut self, path: Path) {
        match path.segments.as_slice() {
            [single] => self.syntax.name(single.clone(), path.line),
            [head, method, ..] if head == "Self" => {
                if let Some(block) = self.syntax.impls.last_mut().filter(|_| self.in_impl) {
                    block.calls.push((method.clone(), path.line));
                }
            }
            _ => self.syntax.paths.push(path),
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        // An `impl` block inside a function of another one is rare, and counts as part of that one.
        let target = match block.self_ty.as_ref() {
            syn::Type::Path(path) if path.qself.is_none() && !self.in_impl => &path.path,
            _ => return visit::visit_item_impl(self, block),
        };
        let methods = block.items.iter().filter_map(|item| match item {
            syn::ImplItem::Fn(function) if block.trait_.is_none() => Some(function),
            _ => None,
        });
        let methods = methods.filter(|function| !is_test_only(&function.attrs));
        self.syntax.impls.push(Impl {
            target: target.segments.iter().map(|segment| name(&segment.ident)).collect(),
            methods: methods.map(|function| name(&function.sig.ident)).collect(),
            calls: Vec::new(),
        });
        self.in_impl = true;
        visit::visit_item_impl(self, block);
        self.in_impl = false;
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if matches!(call.receiver.as_ref(), syn::Expr::Path(path) if path.path.is_ident("self")) {
            let segments = vec!["Self".to_owned(), name(&call.method)];
            self.path(Path { segments, line: line(&call.method) });
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes: &[syn::Attribute] = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Macro(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if !is_test_only(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_test_only(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !is_test_only(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            let is_reexport = match &item.vis {
                Visibility::Inherited => false,
                Visibility::Restricted(restricted) => !restricted.path.is_ident("self"),
                Visibility::Public(_) => true,
            };
            self.read_use(&item.tree, &mut Vec::new(), is_reexport);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let first = path.segments.first().filter(|_| path.leading_colon.is_none());
        if let Some(first) = first {
            let segments = path.segments.iter().map(|segment| name(&segment.ident)).collect();
            self.path(Path { segments, line: line(&first.ident) });
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.visit_path(&invocation.path);
        let mut paths = tokens::paths(&invocation.tokens);
        if invocation.path.is_ident("macro_rules") {
            // Everything else is resolved where the macro is used.
            paths.retain(|path| path.segments[0] == "crate");
        }
        self.all(paths);
    }

    /// What `syn` does not know yet.
    fn visit_token_stream(&mut self, tokens: &'ast proc_macro2::TokenStream) {
        self.all(tokens::paths(tokens));
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn path_attribute(attributes: &[syn::Attribute]) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("path"))?;
    let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
    match &pair.value {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) => Some(path.value()),
        _ => None,
    }
}

fn describe(item: &syn::Item) -> Item {
    let named = |keyword, ident: &proc_macro2::Ident| Item {
        keyword,
        name: Some(name(ident)),
        line: line(ident),
        exported: false,
    };
    let nameless = |keyword, span: proc_macro2::Span| Item {
        keyword,
        name: None,
        line: span.start().line,
        exported: false,
    };
    match item {
        syn::Item::Const(item) => named("const", &item.ident),
        syn::Item::Enum(item) => named("enum", &item.ident),
        syn::Item::ExternCrate(item) => nameless("extern crate", item.extern_token.span),
        syn::Item::Fn(item) => named("fn", &item.sig.ident),
        syn::Item::Impl(item) => nameless("impl", item.impl_token.span),
        syn::Item::Macro(item) => {
            let exported = |attribute: &syn::Attribute| attribute.path().is_ident("macro_export");
            let exported = item.attrs.iter().any(exported);
            match &item.ident {
                Some(ident) => Item { exported, ..named("macro", ident) },
                None => nameless("macro call", item.mac.bang_token.span),
            }
        }
        syn::Item::Static(item) => named("static", &item.ident),
        syn::Item::Struct(item) => named("struct", &item.ident),
        syn::Item::Trait(item) => named("trait", &item.ident),
        syn::Item::TraitAlias(item) => named("trait", &item.ident),
        syn::Item::Type(item) => named("type", &item.ident),
        syn::Item::Union(item) => named("union", &item.ident),
        _ => nameless("item", proc_macro2::Span::call_site()),
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::ExternCrate(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::ForeignMod(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::TraitAlias(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
