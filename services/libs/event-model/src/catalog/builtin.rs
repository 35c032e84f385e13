//! The catalogs that are compiled in, parsed once for the process.

use super::type_info::{FileType, TypeInfo};
use serde::Deserialize;
use std::sync::{Arc, LazyLock};

#[derive(Deserialize)]
struct File {
    catalog: String,
    types: Vec<FileType>,
}

/// Every built-in type and family.
pub(super) fn all() -> &'static [Arc<TypeInfo>] {
    static TYPES: LazyLock<Vec<Arc<TypeInfo>>> = LazyLock::new(|| {
        let files = schemas::catalogs::all().map(|(_, text)| {
            serde_json::from_str::<File>(text).expect("compiled-in catalogs have their shape, as a test checks")
        });
        files
            .into_iter()
            .flat_map(|File { catalog, types }| {
                types
                    .into_iter()
                    .map(move |of| Arc::new(TypeInfo::from_file(&catalog, of)))
            })
            .collect()
    });
    &TYPES
}
