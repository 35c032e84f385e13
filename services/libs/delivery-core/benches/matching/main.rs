//! How fast the matching index finds endpoints, how long a change of one takes, and what an endpoint costs in memory, at
//! 1 k, 100 k and 1 M endpoints. Every event has exactly one match. Time is the
//! processor's.
//!
//! `cargo bench -p delivery-core --bench matching [-- <filter>]`; memory is printed first.

mod cpu;
mod memory;
mod world;

use cpu::CpuTime;
use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use std::time::Duration;
use world::{Shape, World};

/// As the product has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];

fn main() {
    if memory::answer() {
        return;
    }
    memory::report(&SIZES);
    let mut criterion = Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    for shape in Shape::ALL {
        for endpoints in SIZES {
            let world = World::new(shape, endpoints);
            matching(&mut criterion, &world);
            if shape == Shape::Mixed {
                changes(&mut criterion, &world);
            }
        }
    }
    criterion.final_summary();
}

/// One event after the other, from all over the world, so that little of it is in a cache.
fn matching(criterion: &mut Criterion<CpuTime>, world: &World) {
    let index = world.index();
    let events = world.events();
    for event in &events {
        assert_eq!(index.matches(&event.facts(), 0).len(), 1, "one match each");
    }
    let mut group = criterion.benchmark_group("match");
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new(world.shape.name(), world.endpoints), |bencher| {
        let mut next = events.iter().cycle();
        bencher.iter(|| {
            let event = next.next().expect("a cycle has no end");
            black_box(index.matches(&event.facts(), 0))
        });
    });
    group.finish();
}

/// As fan-out follows the ledger: a copy of the index takes the change while the snapshot before it is still in use.
fn changes(criterion: &mut Criterion<CpuTime>, world: &World) {
    let mut index = world.index();
    let mut group = criterion.benchmark_group("change");
    group.bench_function(BenchmarkId::new("snapshot", world.endpoints), |bencher| {
        bencher.iter(|| black_box(index.clone()));
    });
    let mut turn = 0;
    group.bench_function(BenchmarkId::new("one_endpoint", world.endpoints), |bencher| {
        bencher.iter_batched(
            || {
                turn += 7_919;
                world.subscription(turn % world.endpoints)
            },
            |changed| {
                let mut after = index.clone();
                after.insert(changed);
                std::mem::replace(&mut index, after)
            },
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}
