//! What every acceptance test begins with: an installation of the real binary with a clerk, a tenant, a producer and a
//! receiver. The tests are in `tests/`; nothing of the product is in here.

mod stage;

pub use stage::{Door, Stage, TYPE};
