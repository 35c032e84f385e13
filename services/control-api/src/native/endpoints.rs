//! Endpoints in the native API: their wishes and their shape, and one file for each kind of route.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod read;
pub(crate) mod replay;
pub(crate) mod shown;
pub(crate) mod wanted;
