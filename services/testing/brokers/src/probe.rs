//! Asks a broker which brokers it knows: Kafka's Metadata request, version 0, written by hand (protocol guide,
//! "Metadata"). No other request: everything else is a client library's business.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, ensure};

const TIMEOUT: Duration = Duration::from_secs(2);

/// Length 19, key 3 (Metadata), version 0, correlation 1, client id "probe", no topics named (which asks for all).
const REQUEST: &[u8] = b"\x00\x00\x00\x13\x00\x03\x00\x00\x00\x00\x00\x01\x00\x05probe\x00\x00\x00\x00";

/// The ids of the brokers that the one at `port` sees alive.
pub(crate) fn brokers_seen_by(port: u16) -> anyhow::Result<Vec<i32>> {
    let mut stream = TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(REQUEST)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    ensure!(
        length < 64 << 20,
        "the answer claims {length} bytes: port {port} does not speak Kafka"
    );
    let mut answer = vec![0; length as usize];
    stream.read_exact(&mut answer)?;
    broker_ids(&answer).context("the answer to a metadata request is cut short")
}

/// Reads correlation id, then the array of (id: i32, host: string, port: i32); what follows is not looked at.
fn broker_ids(mut answer: &[u8]) -> Option<Vec<i32>> {
    let _correlation = take_i32(&mut answer)?;
    let count = take_i32(&mut answer)?;
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(take_i32(&mut answer)?);
        let (host_length, rest) = answer.split_first_chunk::<2>()?;
        answer = rest.get(usize::from(u16::from_be_bytes(*host_length))..)?;
        let _port = take_i32(&mut answer)?;
    }
    Some(ids)
}

fn take_i32(input: &mut &[u8]) -> Option<i32> {
    let (number, rest) = input.split_first_chunk::<4>()?;
    *input = rest;
    Some(i32::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    //! The wire format, on bytes alone; a real broker answers in `tests/cluster.rs`.
    use super::*;

    #[test]
    fn the_request_names_its_own_length() {
        let (length, body) = REQUEST
            .split_first_chunk::<4>()
            .expect("the constant is longer than that");
        assert_eq!(u32::from_be_bytes(*length) as usize, body.len());
    }

    #[test]
    fn ids_come_out_and_a_cut_answer_is_none() {
        let answer = b"\0\0\0\x01\0\0\0\x02\0\0\0\x07\0\x01a\0\0\x23\x84\0\0\0\x09\0\x02bc\0\0\x23\x85\0\0\0\0";
        assert_eq!(broker_ids(answer), Some(vec![7, 9]));
        assert_eq!(broker_ids(&answer[..20]), None);
    }
}
