//! The coordinator's states and answers, without a broker around it.

use super::*;
use RespErr as E;

const ID: &str = "txn";

struct Fixture {
    c: Coordinator,
    now: Instant,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture { c: Coordinator::default(), now: Instant::now() }
    }

    fn init(&mut self) -> Result<ProducerId, E> {
        let p = self.c.init(ID, 60_000, None, self.now);
        self.run();
        p
    }

    fn init_from(&mut self, p: ProducerId) -> Result<ProducerId, E> {
        let p = self.c.init(ID, 60_000, Some(p), self.now);
        self.run();
        p
    }

    fn add(&mut self, p: ProducerId, partition: i32) -> Result<(), E> {
        self.c.add(ID, p, [target(partition)], self.now)
    }

    fn end(&mut self, p: ProducerId, commit: bool, bump: bool) -> Result<ProducerId, E> {
        let p = self.c.end(ID, p, commit, bump, self.now);
        self.run();
        p
    }

    /// Writes what is due; (epoch, commit, count of targets) of each.
    fn run(&mut self) -> Vec<(i16, bool, usize)> {
        let endings = self.c.run(self.now, |_| true);
        endings.iter().map(|e| (e.producer.epoch, e.commit, e.targets.len())).collect()
    }

    fn state(&self) -> State {
        self.c.get(ID).expect("known").1
    }

    fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }
}

fn target(partition: i32) -> Target {
    Target::Partition("t".to_string(), partition)
}

fn at(p: ProducerId, epoch: i16) -> ProducerId {
    ProducerId { epoch, ..p }
}

#[test]
fn a_transaction_goes_through_its_states() {
    let mut f = Fixture::new();
    f.c.completion_delay = Duration::from_millis(50);
    let p = f.init().unwrap();
    assert_eq!((p.epoch, f.state()), (0, State::Empty));
    assert_eq!(f.end(p, true, false), Err(E::ERR_INVALID_TXN_STATE));
    assert_eq!(f.c.verify(ID, p, &target(0)), Err(TRANSACTION_ABORTABLE));
    assert_eq!((f.add(p, 0), f.add(p, 1)), (Ok(()), Ok(())));
    assert_eq!(f.c.verify(ID, p, &target(1)), Ok(()));
    assert_eq!(f.c.verify(ID, p, &target(2)), Err(TRANSACTION_ABORTABLE));
    assert_eq!(f.end(p, true, false), Ok(p));
    assert_eq!(f.state(), State::Prepare(true));
    assert_eq!(f.c.next_due(|_| true), Some(f.now + Duration::from_millis(50)));
    // Busy until the markers are there.
    assert_eq!(f.add(p, 0), Err(E::ERR_CONCURRENT_TRANSACTIONS));
    assert_eq!(f.init(), Err(E::ERR_CONCURRENT_TRANSACTIONS));
    assert_eq!(f.end(p, true, false), Err(E::ERR_CONCURRENT_TRANSACTIONS));
    assert_eq!(f.end(p, false, false), Err(E::ERR_INVALID_TXN_STATE));
    assert_eq!(f.c.run(f.now + Duration::from_secs(1), |_| false), []);
    f.wait(50);
    assert_eq!(f.run(), [(0, true, 2)]);
    assert_eq!(f.state(), State::Complete(true));
    assert_eq!(f.c.next_due(|_| true), None);
    // The answer was lost.
    assert_eq!(f.end(p, true, false), Ok(p));
    assert_eq!(f.end(p, false, false), Err(E::ERR_INVALID_TXN_STATE));
    // The next transaction begins with nothing.
    f.add(p, 5).unwrap();
    assert_eq!(f.c.verify(ID, p, &target(0)), Err(TRANSACTION_ABORTABLE));
    f.end(p, false, false).unwrap();
    f.wait(50);
    assert_eq!(f.run(), [(0, false, 1)]);
}

#[test]
fn a_newer_instance_fences_the_older() {
    let mut f = Fixture::new();
    let old = f.init().unwrap();
    f.add(old, 0).unwrap();
    // The open transaction is aborted first, under an epoch of its own.
    assert_eq!(f.c.init(ID, 60_000, None, f.now), Err(E::ERR_CONCURRENT_TRANSACTIONS));
    assert_eq!(f.run(), [(1, false, 1)]);
    let new = f.init().unwrap();
    assert_eq!(new, at(old, 2));
    assert_eq!(f.add(old, 0), Err(E::ERR_PRODUCER_FENCED));
    assert_eq!(f.end(old, true, false), Err(E::ERR_PRODUCER_FENCED));
    assert_eq!(f.end(old, true, true), Err(E::ERR_PRODUCER_FENCED));
    assert_eq!(f.init_from(old), Err(E::ERR_PRODUCER_FENCED));
    assert_eq!(f.add(ProducerId { id: 1, ..new }, 0), Err(E::ERR_INVALID_PRODUCER_ID_MAPPING));
    assert_eq!(f.c.add("other", new, [target(0)], f.now), Err(E::ERR_INVALID_PRODUCER_ID_MAPPING));
    assert_eq!(f.add(new, 0), Ok(()));
}

#[test]
fn a_producer_that_names_itself_gets_the_next_epoch() {
    let mut f = Fixture::new();
    let p = f.init().unwrap();
    let next = f.init_from(p).unwrap();
    assert_eq!(next, at(p, 1));
    // Asked again, the epoch stays; further back is fenced.
    assert_eq!(f.init_from(p), Ok(next));
    let third = f.init_from(next).unwrap();
    assert_eq!(third, at(p, 2));
    assert_eq!(f.init_from(p), Err(E::ERR_PRODUCER_FENCED));
    assert_eq!(f.init_from(ProducerId { id: 7, epoch: 0 }), Err(E::ERR_PRODUCER_FENCED));
    // Another instance in between is never passed by.
    f.init().unwrap();
    assert_eq!(f.init_from(third), Err(E::ERR_PRODUCER_FENCED));
}

#[test]
fn each_end_of_version_2_brings_an_epoch() {
    let mut f = Fixture::new();
    let p = f.init().unwrap();
    f.add(p, 0).unwrap();
    assert_eq!(f.c.end(ID, p, true, true, f.now), Ok(at(p, 1)));
    // Before the markers are there, the producer may ask again, or begin.
    assert_eq!(f.c.end(ID, p, true, true, f.now), Err(E::ERR_CONCURRENT_TRANSACTIONS));
    assert_eq!(f.add(at(p, 1), 0), Err(E::ERR_CONCURRENT_TRANSACTIONS));
    assert_eq!(f.run(), [(1, true, 1)]);
    assert_eq!(f.end(p, true, true), Ok(at(p, 1)));
    assert_eq!(f.end(p, false, true), Err(E::ERR_INVALID_TXN_STATE));
    assert_eq!(f.add(p, 0), Err(E::ERR_PRODUCER_FENCED));
    // An abort needs no transaction, a commit does.
    let p = at(p, 1);
    assert_eq!(f.end(p, true, true), Err(E::ERR_INVALID_TXN_STATE));
    assert_eq!(f.end(p, false, true), Ok(at(p, 2)));
    assert_eq!(f.state(), State::Complete(false));
    assert_eq!(f.end(p, false, true), Ok(at(p, 2)));
    let p = f.init().unwrap();
    assert_eq!((p.epoch, f.state()), (3, State::Empty));
    assert_eq!(f.end(p, false, true), Ok(at(p, 4)));
    assert_eq!(f.end(at(p, 1), false, true), Err(E::ERR_PRODUCER_FENCED));
}

#[test]
fn epochs_run_out_and_the_id_changes() {
    let mut f = Fixture::new();
    let p = f.init().unwrap();
    f.c.set_epoch(ID, LAST_EPOCH);
    let p = at(p, LAST_EPOCH);
    f.add(p, 0).unwrap();
    let new = f.c.end(ID, p, true, true, f.now).unwrap();
    assert!(new.id != p.id && new.epoch == 0);
    assert_eq!(f.add(new, 0), Err(E::ERR_CONCURRENT_TRANSACTIONS));
    assert_eq!(f.run(), [(i16::MAX, true, 1)]);
    assert_eq!(f.end(p, true, true), Ok(new));
    assert_eq!(f.add(new, 0), Ok(()));
    // As does InitProducerId, asked twice by the same producer.
    f.end(new, true, false).unwrap();
    f.c.set_epoch(ID, LAST_EPOCH);
    let last = at(new, LAST_EPOCH);
    let newer = f.init_from(last).unwrap();
    assert!(newer.id != new.id && newer.epoch == 0);
    assert_eq!(f.init_from(last), Ok(newer));
    // Fencing an open transaction uses up the very last.
    f.c.set_epoch(ID, LAST_EPOCH);
    f.add(at(newer, LAST_EPOCH), 0).unwrap();
    assert_eq!(f.init(), Err(E::ERR_CONCURRENT_TRANSACTIONS));
    assert!(f.init().is_ok_and(|p| p.id != newer.id && p.epoch == 0));
}

#[test]
fn transactions_time_out() {
    let mut f = Fixture::new();
    assert_eq!(f.c.init(ID, 15 * 60_000 + 1, None, f.now), Err(E::ERR_INVALID_TRANSACTION_TIMEOUT));
    assert_eq!(f.c.init(ID, 0, None, f.now), Err(E::ERR_INVALID_TRANSACTION_TIMEOUT));
    let p = f.c.init(ID, 1000, None, f.now).unwrap();
    f.wait(5000);
    assert_eq!(f.run(), [], "there is no transaction");
    f.add(p, 0).unwrap();
    f.wait(600);
    f.add(p, 1).unwrap();
    assert_eq!(f.run(), []);
    f.wait(400);
    assert_eq!(f.run(), [(1, false, 2)]);
    assert_eq!(f.add(p, 0), Err(E::ERR_PRODUCER_FENCED));
    assert_eq!(f.end(p, true, false), Err(E::ERR_PRODUCER_FENCED));
    assert_eq!(f.end(p, false, false), Err(E::ERR_PRODUCER_FENCED));
    // To version 2 it looks like an abort that was not heard of.
    assert_eq!(f.end(p, true, true), Err(E::ERR_INVALID_TXN_STATE));
    assert_eq!(f.end(p, false, true), Ok(at(p, 1)));
}

#[test]
fn forgotten_ids_are_not_mapped() {
    let mut f = Fixture::new();
    let p = f.init().unwrap();
    f.add(p, 0).unwrap();
    assert!(!f.c.forget(ID));
    f.end(p, true, false).unwrap();
    assert!(f.c.forget(ID));
    assert_eq!(f.add(p, 0), Err(E::ERR_INVALID_PRODUCER_ID_MAPPING));
    assert_ne!(f.init().unwrap().id, p.id);
}
