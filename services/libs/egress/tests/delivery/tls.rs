//! TLS against a receiver with a certificate of a private authority, with and without mTLS. `certificates/` was made
//! with openssl for these tests alone: the authority's key is gone, and nothing else trusts it.

use crate::{TIMEOUT, local, post_to};
use egress::{Client, Failure, Options, OptionsError};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};

fn certificate(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/delivery/certificates")).join(name)
}

pub fn trusting() -> Options {
    Options {
        policy: local(),
        ca_file: Some(certificate("authority.pem")),
        ..Options::default()
    }
}

/// Answers one request on each connection; its URL.
pub async fn receiver(wants_client_certificate: bool) -> String {
    let authority = CertificateDer::from_pem_file(certificate("authority.pem")).expect("the fixture is PEM");
    let own = CertificateDer::from_pem_file(certificate("server.pem")).expect("the fixture is PEM");
    let key = PrivateKeyDer::from_pem_file(certificate("server.key.pem")).expect("the fixture is PEM");
    let builder = ServerConfig::builder();
    let builder = if wants_client_certificate {
        let mut roots = RootCertStore::empty();
        roots.add(authority).expect("the fixture is a certificate");
        builder.with_client_cert_verifier(WebPkiClientVerifier::builder(roots.into()).build().expect("a verifier"))
    } else {
        builder.with_no_client_auth()
    };
    let config = builder
        .with_single_cert(vec![own], key)
        .expect("the fixture's key fits");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let url = format!(
        "https://{}/",
        listener.local_addr().expect("a bound socket has an address")
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream
                .write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
                .await;
            let _ = stream.shutdown().await;
        }
    });
    url
}

async fn status(options: Options, url: &str) -> Result<u16, Failure> {
    let client = Client::new(options).expect("the client can be set up");
    post_to(&client, url, TIMEOUT)
        .await
        .outcome
        .map(|response| response.status.as_u16())
}

#[tokio::test]
async fn the_given_authority_is_trusted_and_the_platform_does_not_know_it() {
    let url = receiver(false).await;
    assert_eq!(status(trusting(), &url).await, Ok(204));
    let failure = status(
        Options {
            ca_file: None,
            ..trusting()
        },
        &url,
    )
    .await
    .expect_err("an unknown authority");
    assert!(matches!(failure, Failure::Tls(_)), "{failure:?}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let url = receiver(false).await.replace("127.0.0.1", "localhost");
    let failure = status(trusting(), &url)
        .await
        .expect_err("the certificate names an address alone");
    assert!(matches!(failure, Failure::Tls(_)), "{failure:?}");
}

#[tokio::test]
async fn the_client_certificate_is_shown_to_who_asks() {
    let url = receiver(true).await;
    let identified = Options {
        client_cert_file: Some(certificate("client.pem")),
        client_key_file: Some(certificate("client.key.pem")),
        ..trusting()
    };
    assert_eq!(status(identified, &url).await, Ok(204));
    assert!(status(trusting(), &url).await.is_err(), "without one it is refused");
}

#[test]
fn files_that_can_not_be_used_are_named_with_their_setting() {
    let missing = Options {
        ca_file: Some(certificate("missing.pem")),
        ..trusting()
    };
    let error = Client::new(missing).expect_err("no such file").to_string();
    assert!(
        error.starts_with("egress.ca_file: can't read") && error.contains("missing.pem"),
        "{error}"
    );
    let wrong = Options {
        ca_file: Some(certificate("client.key.pem")),
        ..trusting()
    };
    assert!(matches!(
        Client::new(wrong),
        Err(OptionsError::Pem {
            key: "egress.ca_file",
            ..
        })
    ));
    let half = Options {
        client_cert_file: Some(certificate("client.pem")),
        ..trusting()
    };
    assert!(matches!(Client::new(half), Err(OptionsError::HalfIdentity)));
}
