//! The programs in the guides, tested as documentation is.

#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../../docs/change-your-schema.md")]
struct ChangeYourSchema;

#[cfg(doctest)]
#[doc = include_str!("../../docs/move-between-stores.md")]
struct MoveBetweenStores;
