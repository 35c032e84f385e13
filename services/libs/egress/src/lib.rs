//! The one crate that makes delivery requests: one client for all endpoints, HTTP/1.1 with keep-alive, and the policy
//! of where a request may go (invariant 4). It sends what it is given, once: signing, retrying and what a status means
//! belong elsewhere.

mod address;
mod client;
mod denied;
mod destination;
mod failure;
mod lookup;
mod options;
mod policy;
mod ports;
mod proxy;
mod resolver;
mod response;

pub use client::{Attempt, Client, Request};
pub use denied::Denied;
pub use destination::Destination;
pub use failure::Failure;
pub use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
pub use ipnet::IpNet;
pub use lookup::{Addresses, Lookup, SystemLookup};
pub use options::{Options, OptionsError};
pub use policy::Policy;
pub use proxy::{Proxy, ProxyError};
pub use response::Response;
pub use url::Url;
