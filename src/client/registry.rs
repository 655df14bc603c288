//! Topics by name. Look-ups take no lock: buckets are chains that only grow, and live as long as the client.

use super::topic::Topic;
use crate::accumulator::shortcut::Shortcuts;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// 1,024 buckets, which come into being a group at a time: most clients have few topics, and memory that is new takes its time.
const GROUPS: usize = 32;
const GROUP: usize = 32;

struct Node {
    hash: u64,
    topic: Arc<Topic>,
    next: OnceLock<Box<Node>>,
}

type Bucket = OnceLock<Box<Node>>;

pub struct Registry {
    groups: Box<[OnceLock<Box<[Bucket]>>]>,
    /// There for those who name their topics with each message.
    recent: OnceLock<Box<Shortcuts<Topic>>>,
    /// Look-ups past `recent`, about: threads may miss each other's counting.
    missed: AtomicU32,
}

/// So seldom is `recent` changed that threads which use topics in turn spend no time on it.
const MISSES: u32 = 64;

/// Hash of a topic name: eight bytes a step; names are the application's own, so it need not withstand an attacker.
#[inline(always)]
fn hash(name: &[u8]) -> u64 {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut h = name.len() as u64;
    let mut chunks = name.chunks_exact(8);
    for c in &mut chunks {
        h = (h ^ u64::from_le_bytes([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]])).wrapping_mul(K);
        h ^= h >> 32;
    }
    let mut last = 0u64;
    for &b in chunks.remainder() {
        last = last << 8 | b as u64;
    }
    h = (h ^ last).wrapping_mul(K);
    h ^ (h >> 32)
}

impl Default for Registry {
    fn default() -> Self {
        Registry {
            groups: (0..GROUPS).map(|_| OnceLock::new()).collect(),
            recent: OnceLock::new(),
            missed: AtomicU32::new(0),
        }
    }
}

impl Registry {
    /// A topic that this thread may well want again. The caller compares the name.
    #[inline(always)]
    pub fn recent(&self, hint: usize) -> Option<&Topic> {
        self.recent.get()?.get(hint)
    }

    /// Tells what the thread wanted after all.
    #[inline]
    pub fn used(&self, hint: usize, topic: &Topic) {
        if self.recent(hint).is_some_and(|r| std::ptr::eq(r, topic)) {
            return;
        }
        let n = self.missed.load(Relaxed);
        self.missed.store(n.wrapping_add(1), Relaxed);
        if n.is_multiple_of(MISSES) {
            if let Some(t) = self.find(topic.state.info.name.as_bytes()) {
                self.recent.get_or_init(Box::default).set(hint, t);
            }
        }
    }

    #[inline(always)]
    pub fn get(&self, name: &[u8]) -> Option<&Topic> {
        self.find(name).map(|t| &**t)
    }

    #[inline(always)]
    fn find(&self, name: &[u8]) -> Option<&Arc<Topic>> {
        let h = hash(name);
        let mut slot = &self.groups[h as usize / GROUP % GROUPS].get()?[h as usize % GROUP];
        while let Some(node) = slot.get() {
            if node.hash == h && node.topic.state.info.name.as_bytes() == name {
                return Some(&node.topic);
            }
            slot = &node.next;
        }
        None
    }

    /// The topic of that name, made by `make` if it is new; tells whether it was.
    pub fn get_or_insert(&self, name: &str, make: impl Fn() -> Topic) -> (&Topic, bool) {
        let h = hash(name.as_bytes());
        let group =
            self.groups[h as usize / GROUP % GROUPS].get_or_init(|| (0..GROUP).map(|_| Bucket::new()).collect());
        let mut slot = &group[h as usize % GROUP];
        let mut made = false;
        loop {
            let node = slot.get_or_init(|| {
                made = true;
                Box::new(Node { hash: h, topic: Arc::new(make()), next: OnceLock::new() })
            });
            if node.hash == h && node.topic.state.info.name == name {
                return (&node.topic, made);
            }
            slot = &node.next;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Topic> {
        let buckets = self.groups.iter().filter_map(OnceLock::get).flatten();
        buckets.flat_map(|bucket| std::iter::successors(bucket.get(), |n| n.next.get()).map(|n| &*n.topic))
    }
}
