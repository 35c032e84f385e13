//! The catalogs as the demo reads them: which scope a type needs, and which resource it is about. Read from the files
//! alone, without the product's code.

use std::collections::HashMap;

use serde_json::Value;

/// What a type needs, by name; families under their name, which ends in `.*`.
pub struct Catalog {
    types: HashMap<String, Type>,
}

/// What matters of a type here.
#[derive(Debug, Clone)]
pub struct Type {
    pub scope: Option<String>,
    pub resource: Option<String>,
}

impl Catalog {
    pub fn read() -> Self {
        let mut types = HashMap::new();
        for (_, text) in schemas::catalogs::all() {
            let catalog: Value = serde_json::from_str(text).expect("the catalogs are JSON");
            for event_type in catalog["types"].as_array().into_iter().flatten() {
                let text = |field: &str| event_type[field].as_str().map(str::to_owned);
                let known = Type {
                    scope: text("required_scope"),
                    resource: text("resource"),
                };
                types.insert(text("type").expect("a type has a name"), known);
            }
        }
        Self { types }
    }

    /// The type, or the family that it is of.
    pub fn find(&self, name: &str) -> Option<&Type> {
        let family = || {
            let families = self.types.iter().filter(|(family, _)| family.ends_with(".*"));
            families
                .filter(|(family, _)| name.starts_with(&family[..family.len() - 1]))
                .map(|(_, found)| found)
                .next()
        };
        self.types.get(name).or_else(family)
    }
}
