//! What an endpoint costs: the resident memory of a process of its own, before and after its index is built. The
//! allocator's losses are in it. And how long building takes, endpoints made up on the way included.

use crate::world::{Shape, World};
use cpu_time::ProcessTime;
use std::process::Command;
use std::{env, fs};

const ASKED: &str = "HOOKLINE_BENCH_MEMORY";
const PAGE_BYTES: usize = 4096;

/// Whether this process is one that was started to be weighed; then it has printed its weight.
pub fn answer() -> bool {
    let Ok(asked) = env::var(ASKED) else {
        return false;
    };
    let (shape, endpoints) = asked.split_once(' ').expect("shape and endpoints");
    let shape = Shape::ALL
        .into_iter()
        .find(|known| known.name() == shape)
        .expect("a shape");
    let world = World::new(shape, endpoints.parse().expect("a number"));
    let before = resident_bytes();
    let started = ProcessTime::now();
    let index = world.index();
    let built_ms = started.elapsed().as_millis();
    let bytes = (resident_bytes() - before) / index.len();
    println!("{bytes} bytes an endpoint, built in {built_ms} ms");
    true
}

pub fn report(sizes: &[usize]) {
    for shape in Shape::ALL {
        // A small index disappears in what the allocator takes in advance.
        for endpoints in sizes.iter().filter(|endpoints| **endpoints >= 100_000) {
            let out = Command::new(env::current_exe().expect("this program has a file"))
                .env(ASKED, format!("{} {endpoints}", shape.name()))
                .output()
                .expect("it starts again");
            let weight = String::from_utf8_lossy(&out.stdout).trim().to_owned();
            println!("memory/{}/{endpoints}: {weight}", shape.name());
        }
    }
}

fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second number is the resident size") * PAGE_BYTES
}
