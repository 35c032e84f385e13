//! What an endpoint costs: the resident memory of a process of its own, before and after its index is built. The
//! allocator's losses are in it.

use crate::world::{Shape, World};
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
    let index = world.index();
    println!("{}", (resident_bytes() - before) / index.len());
    true
}

pub fn report(sizes: &[usize]) {
    for shape in Shape::ALL {
        for endpoints in sizes {
            let out = Command::new(env::current_exe().expect("this program has a file"))
                .env(ASKED, format!("{} {endpoints}", shape.name()))
                .output()
                .expect("it starts again");
            let bytes = String::from_utf8_lossy(&out.stdout).trim().to_owned();
            println!("memory/{}/{endpoints}: {bytes} bytes an endpoint", shape.name());
        }
    }
}

fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second number is the resident size") * PAGE_BYTES
}
