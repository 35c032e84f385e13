//! Deliveries in the native API, from the history: their shape, and one file for each route.

pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod replay;
pub(crate) mod shown;
