//! The one crate that makes delivery requests: one client for all endpoints, HTTP/1.1 with keep-alive, and the policy
//! of where a request may go (invariant 4). It sends what it is given, once: signing, retrying and what a status means
//! belong elsewhere.

mod address;
mod client;
mod failure;
mod policy;
mod resolver;

pub use client::{Attempt, Client, Options, OptionsError, Request, Response};
pub use failure::Failure;
pub use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
pub use ipnet::IpNet;
pub use policy::{Denied, Policy};
pub use url::Url;
