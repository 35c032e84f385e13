//! The least of HTTP/1.1 that a receiver of webhooks needs: finds one request in what was read. It knows bodies with a
//! `content-length` alone, and copies nothing.

use anyhow::{Context, bail};

/// Largest head.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// One request, borrowed from the connection's buffer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub(super) id: &'a [u8],
    pub(super) timestamp: &'a [u8],
    pub(super) signature: &'a [u8],
    pub(super) body: &'a [u8],
    /// Of the whole request.
    pub(super) bytes: usize,
}

impl<'a> Request<'a> {
    /// The first request in `read`; None when it isn't complete.
    pub(super) fn parse(read: &'a [u8]) -> anyhow::Result<Option<Self>> {
        let mut request = Request::default();
        let mut body_bytes = 0;
        let mut at = 0;
        loop {
            let Some(length) = read[at..].iter().position(|byte| *byte == b'\n') else {
                if read.len() > MAX_HEAD_BYTES {
                    bail!("the head is too long");
                }
                return Ok(None);
            };
            let line = read[at..at + length].trim_ascii_end();
            let is_first = at == 0;
            at += length + 1;
            if line.is_empty() {
                break;
            }
            if is_first {
                if !line.starts_with(b"POST ") {
                    bail!("not a POST");
                }
                continue;
            }
            let colon = line
                .iter()
                .position(|byte| *byte == b':')
                .context("a header without a name")?;
            let value = line[colon + 1..].trim_ascii_start();
            match &line[..colon] {
                name if name.eq_ignore_ascii_case(b"content-length") => {
                    body_bytes = std::str::from_utf8(value)?.parse()?;
                }
                name if name.eq_ignore_ascii_case(b"webhook-id") => request.id = value,
                name if name.eq_ignore_ascii_case(b"webhook-timestamp") => request.timestamp = value,
                name if name.eq_ignore_ascii_case(b"webhook-signature") => request.signature = value,
                name if name.eq_ignore_ascii_case(b"transfer-encoding") => bail!("only content-length is read here"),
                _ => {}
            }
        }
        request.bytes = at + body_bytes;
        Ok(read.get(at..request.bytes).map(|body| Request { body, ..request }))
    }
}

#[cfg(test)]
mod tests {
    //! Requests whole, in parts, and one behind the other.
    use super::*;

    const ONE: &[u8] = b"POST /hook HTTP/1.1\r\nhost: x\r\nWebhook-Id: dlv_1\r\nwebhook-timestamp: 5\r\nwebhook-signature: v1,a\r\nContent-Length: 2\r\n\r\n{}";

    #[test]
    fn a_request_is_found_when_it_is_complete() {
        for end in 0..ONE.len() {
            assert_eq!(Request::parse(&ONE[..end]).expect("well-formed"), None, "{end}");
        }
        let two = [ONE, ONE].concat();
        let request = Request::parse(&two).expect("well-formed").expect("complete");
        assert_eq!((request.id, request.body), (&b"dlv_1"[..], &b"{}"[..]));
        assert_eq!((request.timestamp, request.signature), (&b"5"[..], &b"v1,a"[..]));
        assert_eq!(request.bytes, ONE.len());
    }

    #[test]
    fn what_it_does_not_know_is_an_error() {
        for text in [
            "GET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nnonsense\r\n\r\n",
        ] {
            assert!(Request::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Request::parse(&[b'x'; MAX_HEAD_BYTES + 1]).is_err());
    }
}
