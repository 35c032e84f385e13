//! How many tests may be under way: few, since each holds a connection for as long as a receiver likes.

use crate::error::{ApiError, Code};
use parking_lot::Mutex;
use std::collections::HashMap;

/// In one process.
const MAX_IN_ALL: usize = 16;
const MAX_OF_ENDPOINT: usize = 2;
const RETRY_SEC: u64 = 1;

/// Tests under way, by endpoint.
#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<String, usize>>);

/// Given back when dropped.
pub(super) struct Place<'a> {
    places: &'a Places,
    endpoint_id: String,
}

impl Places {
    /// # Errors
    /// 429 when there is none.
    pub(super) fn take(&self, endpoint_id: &str) -> Result<Place<'_>, ApiError> {
        let mut taken = self.0.lock();
        let in_all: usize = taken.values().sum();
        let of_endpoint = taken.get(endpoint_id).copied().unwrap_or(0);
        if in_all >= MAX_IN_ALL || of_endpoint >= MAX_OF_ENDPOINT {
            let message = format!(
                "at most {MAX_OF_ENDPOINT} tests of an endpoint, and {MAX_IN_ALL} in all, may be under way; wait for one to end"
            );
            return Err(ApiError {
                retry_after_sec: Some(RETRY_SEC),
                ..ApiError::new(Code::RateLimitExceeded, message)
            });
        }
        taken.insert(endpoint_id.to_owned(), of_endpoint + 1);
        Ok(Place {
            places: self,
            endpoint_id: endpoint_id.to_owned(),
        })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock();
        if let Some(of_endpoint) = taken.get_mut(&self.endpoint_id) {
            *of_endpoint -= 1;
            if *of_endpoint == 0 {
                taken.remove(&self.endpoint_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_few_and_come_back() {
        let places = Places::default();
        let (first, second) = (places.take("a"), places.take("a"));
        assert!(first.is_ok() && second.is_ok());
        let refused = places.take("a").err().map(|error| (error.code, error.retry_after_sec));
        assert_eq!(refused, Some((Code::RateLimitExceeded, Some(1))));
        let others: Vec<_> = (0..14).map(|n| places.take(&format!("b{n}"))).collect();
        assert!(others.iter().all(Result::is_ok) && places.take("c").is_err());
        drop((first, second, others));
        assert!(places.0.lock().is_empty() && places.take("c").is_ok());
    }
}
