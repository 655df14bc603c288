//! Rounds of random faults, each by its seed, one after the other or many at a time.
//!
//! `RKAFKA_SEED=n` runs the round of that seed alone; `RKAFKA_ROUNDS=n` sets how many there are, `RKAFKA_SECONDS=n` for how
//! long new ones are begun. `RKAFKA_FAST=1` makes them short: fewer messages, time-outs of tens of milliseconds; a seed then
//! stands for another round. `RKAFKA_PARALLEL=n` runs so many at a time. `make torture-mock` does both.

use super::{eventually, threads_named};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::*};
use std::time::{Duration, Instant};

/// What holds for every round of a run.
#[derive(Clone, Copy)]
pub struct Run {
    pub fast: bool,
    parallel: u64,
}

impl Run {
    /// The address for a cluster of round number `worker`: each worker has its own, so that a port which one cluster gives
    /// up is not another's next.
    fn host(worker: u64) -> String {
        format!("127.0.{}.{}", worker / 250, worker % 250 + 1)
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|v| v.parse().unwrap_or_else(|_| panic!("{name}={v} is not a number")))
}

/// Runs rounds, by default those that fit into `default_run`. Each is given its seed and a host for its cluster. The first
/// panic ends all, after its seed has been told.
pub fn run(default_run: Duration, round: impl Fn(u64, Run, &str) + Sync) {
    let began = Instant::now();
    let (first, rounds) = match number("RKAFKA_SEED") {
        Some(seed) => (seed, number("RKAFKA_ROUNDS").unwrap_or(1)),
        None => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
            (now as u64 % 1_000_000_000, number("RKAFKA_ROUNDS").unwrap_or(u64::MAX))
        }
    };
    let run =
        Run { fast: number("RKAFKA_FAST").unwrap_or(0) > 0, parallel: number("RKAFKA_PARALLEL").unwrap_or(1).max(1) };
    let limit = match (number("RKAFKA_SECONDS"), number("RKAFKA_ROUNDS")) {
        (Some(seconds), _) => Duration::from_secs(seconds),
        (None, Some(_)) => Duration::MAX,
        (None, None) => default_run,
    };
    let (next, done, failed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let worker = &|host: String| {
        while began.elapsed() < limit && !failed.load(Acquire) {
            let n = next.fetch_add(1, AcqRel);
            if n >= rounds {
                break;
            }
            let (seed, started) = (first.wrapping_add(n), Instant::now());
            if let Err(e) = catch_unwind(AssertUnwindSafe(|| round(seed, run, &host))) {
                failed.store(true, Release);
                eprintln!("\nRKAFKA_SEED={seed}{} repeats this round\n", if run.fast { " RKAFKA_FAST=1" } else { "" });
                resume_unwind(e);
            }
            let done = done.fetch_add(1, AcqRel) + 1;
            if !run.fast {
                println!("seed {seed}: {} ms", started.elapsed().as_millis());
            } else if done % 500 == 0 {
                println!("{:>4} s: {done} rounds", began.elapsed().as_secs());
            }
            if run.parallel == 1 {
                no_thread_is_left();
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..run.parallel).map(|n| scope.spawn(move || worker(Run::host(n)))).collect();
        workers.into_iter().for_each(|w| w.join().unwrap_or_else(|e| resume_unwind(e)));
    });
    no_thread_is_left();
    println!("{} rounds from RKAFKA_SEED={first} in {:.1} s", done.load(Acquire), began.elapsed().as_secs_f64());
}

fn no_thread_is_left() {
    eventually("threads of the client end", Duration::from_secs(5), || threads_named("rk:") == 0);
}
