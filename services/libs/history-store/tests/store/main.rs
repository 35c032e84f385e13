//! One suite, run against SQLite and a real Postgres: the same queries pass on both.

mod lists;
mod projection;
mod retention;
mod support;
