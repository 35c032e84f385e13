//! What is measured, a file each. How is in the modules beside this one.

pub(crate) mod api;
pub(crate) mod history;
pub(crate) mod isolation;
pub(crate) mod memory;
pub(crate) mod smoke;
