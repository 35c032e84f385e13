//! How many changes a second one clerk makes. Run by hand: `cargo test -p ledger --test ledger throughput -- --ignored --nocapture`.

use crate::support::{Process, connect, tenant, writer};
use std::time::Instant;

#[tokio::test]
#[ignore = "a measurement"]
async fn throughput() {
    let connection = connect().await;
    let _clerk = Process::clerk(&connection, None);
    let (_ledger, writer) = writer(&connection).await;
    writer.put(tenant("warm-up").into(), Some(0)).await.expect("it is made");
    for (writers, each) in [(1, 100), (8, 100), (64, 50), (256, 20)] {
        let began = Instant::now();
        let work = (0..writers).map(|_| async {
            for _ in 0..each {
                writer.put(tenant("t").into(), Some(0)).await.expect("it is made");
            }
        });
        futures::future::join_all(work).await;
        let took = began.elapsed();
        let writes = f64::from(writers * each);
        println!(
            "{writers} writers: {:.0} writes/s, {:.1} ms each",
            writes / took.as_secs_f64(),
            took.as_secs_f64() * 1000.0 / f64::from(each)
        );
    }
}
