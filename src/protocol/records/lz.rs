//! One search for repetitions, written in two formats: LZ4 blocks and Snappy elements.
//!
//! Both formats say "these bytes as they are, then so many bytes from so far back", reach 64 KiB back and may be cut into
//! pieces of that length. Input goes through buffers of fixed size, which costs one copy of it and gives three things:
//! records that lie in several places are joined on the way; the search finds its bytes in the cache; and every index
//! is a 16-bit number into an array that is longer than that, so that this is safe code without bounds checks.
//!
//! What takes the time is branches that the processor cannot foresee. So the common cases of writing have none, while the
//! search, where each step waits for the last, has them and lets the processor run ahead.

/// The most bytes compressed at once, and the farthest that a repetition can be from what it repeats, less one.
pub const BLOCK: usize = 1 << 16;

/// Bytes that loads and stores may reach beyond an index.
const SLACK: usize = 32;

/// More than either format can make of a block: LZ4 adds 1/255 and 16, Snappy 1/6 and 32.
const OUTPUT: usize = 1 << 17;

const HASH_BITS: u32 = 13;

/// Literals before a repetition, and the bytes at the end of a block in which none may begin. LZ4 demands 12.
const SHORT: usize = 16;

/// The least that is worth a reference in either format.
const MIN_MATCH: usize = 4;

/// Buffers, kept from one use to the next.
pub struct Lz {
    input: Box<[u8; BLOCK + SLACK]>,
    output: Box<[u8; OUTPUT + SLACK]>,
    /// The last position that had this hash.
    table: Box<[u16; 1 << HASH_BITS]>,
}

impl Default for Lz {
    fn default() -> Self {
        Lz { input: zeroed(0), output: zeroed(0), table: zeroed(0) }
    }
}

/// Straight from the allocator, not by way of the stack.
fn zeroed<T: Copy, const N: usize>(zero: T) -> Box<[T; N]> {
    vec![zero; N].into_boxed_slice().try_into().unwrap_or_else(|_| unreachable!("of that length"))
}

impl Lz {
    /// Cuts the concatenation of `parts` into blocks and gives `each` their compressed form and their bytes.
    pub fn blocks<F: Format>(&mut self, parts: &[&[u8]], mut each: impl FnMut(&[u8], &[u8])) {
        let mut filled = 0;
        for part in parts {
            let mut rest = *part;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(BLOCK - filled));
                self.input[filled..filled + now.len()].copy_from_slice(now);
                filled += now.len();
                rest = later;
                if filled == BLOCK {
                    self.block::<F>(filled, &mut each);
                    filled = 0;
                }
            }
        }
        if filled > 0 {
            self.block::<F>(filled, &mut each);
        }
    }

    fn block<F: Format>(&mut self, len: usize, each: &mut impl FnMut(&[u8], &[u8])) {
        let mut out = Output { bytes: &mut self.output, len: 0 };
        compress::<F>(&self.input, len, &mut out, &mut self.table);
        let n = out.len;
        each(&self.output[..n], &self.input[..len]);
    }
}

type Input = [u8; BLOCK + SLACK];

/// The eight bytes from `at`, which is below [`BLOCK`].
#[inline(always)]
fn load(input: &Input, at: usize) -> u64 {
    let at = at % BLOCK;
    u64::from_le_bytes(input[at..at + 8].try_into().unwrap_or_default())
}

/// Of the lowest five bytes: a repetition of four saves next to nothing, and its search would cost a branch.
#[inline(always)]
fn hash(bytes: u64) -> usize {
    ((bytes << 24).wrapping_mul(0x9E37_79B1_85EB_CA87) >> (64 - HASH_BITS)) as usize
}

/// Finds repetitions in the first `len` bytes of `input` and writes them. What is found is always an earlier position:
/// the table starts as zeros, the search at one, and a position is searched before it is passed.
#[inline(always)]
fn compress<F: Format>(input: &Input, len: usize, out: &mut Output<'_>, table: &mut [u16; 1 << HASH_BITS]) {
    table.fill(0);
    let last = len.saturating_sub(SHORT + MIN_MATCH);
    let end = len.saturating_sub(F::LITERAL_END);
    // Literals from here on are not written yet.
    let mut from = 0;
    let mut at = 1;
    'search: while at < last {
        // Grows, so that what has no repetitions is passed over ever faster.
        let mut stride = 32;
        let mut found = 'found: loop {
            // One load has the five bytes of four positions.
            let bytes = load(input, at);
            for ahead in 0..4 {
                let bytes = bytes >> (8 * ahead);
                let candidate = replace(table, bytes, at + ahead);
                if load(input, candidate) as u32 == bytes as u32 {
                    at += ahead;
                    break 'found candidate;
                }
            }
            at += 3 + (stride >> 5);
            stride += 4;
            if at >= last {
                break 'search;
            }
        };
        while at > from && found > 0 && input[(at - 1) % BLOCK] == input[(found - 1) % BLOCK] {
            at -= 1;
            found -= 1;
        }
        loop {
            // Of the positions inside, the first few are worth finding again.
            let bytes = load(input, at + 1);
            for ahead in 0..3 {
                replace(table, bytes >> (8 * ahead), at + 1 + ahead);
            }
            let next = match_end(input, at, found, end);
            F::sequence(out, input, from, at - from, at - found, next - at);
            at = next;
            from = next;
            if at >= last {
                break 'search;
            }
            // Often one repetition follows another.
            let bytes = load(input, at);
            found = replace(table, bytes, at);
            if load(input, found) as u32 != bytes as u32 {
                at += 1;
                break;
            }
        }
    }
    F::literals(out, &input[from..len]);
}

/// The last position with the hash of these bytes, whose place the new one takes.
#[inline(always)]
fn replace(table: &mut [u16; 1 << HASH_BITS], bytes: u64, at: usize) -> usize {
    std::mem::replace(&mut table[hash(bytes)], at as u16) as usize
}

/// How far the bytes at `at` are those at `earlier`, the first four of which are known to be; at most to `end`.
#[inline(always)]
fn match_end(input: &Input, at: usize, earlier: usize, end: usize) -> usize {
    let back = at - earlier;
    let mut at = at + MIN_MATCH;
    while at + 8 <= end {
        let differ = load(input, at) ^ load(input, at - back);
        if differ != 0 {
            return at + (differ.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < end && input[at % BLOCK] == input[(at - back) % BLOCK] {
        at += 1;
    }
    at
}

/// Where a block is written.
pub struct Output<'a> {
    bytes: &'a mut [u8; OUTPUT + SLACK],
    len: usize,
}

impl Output<'_> {
    /// The bytes from the end on, of which any may be written, and `advance` then says how many count.
    #[inline(always)]
    fn next<const N: usize>(&mut self, skip: usize) -> &mut [u8; N] {
        let at = (self.len + skip) % OUTPUT;
        (&mut self.bytes[at..at + N]).try_into().unwrap_or_else(|_| unreachable!("N bytes"))
    }

    #[inline(always)]
    fn advance(&mut self, n: usize) {
        self.len += n;
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

/// The 16 bytes from `at`, which is below [`BLOCK`].
#[inline(always)]
fn short(input: &Input, at: usize) -> [u8; SHORT] {
    let at = at % BLOCK;
    input[at..at + SHORT].try_into().unwrap_or_default()
}

/// How literals and repetitions are written.
pub trait Format {
    /// Bytes at the end of a block that must be literals.
    const LITERAL_END: usize;
    /// `literals` bytes of the input from `from`, then `len` bytes that are also `back` bytes before.
    fn sequence(out: &mut Output<'_>, input: &Input, from: usize, literals: usize, back: usize, len: usize);
    /// The end of a block.
    fn literals(out: &mut Output<'_>, bytes: &[u8]);
}

/// LZ4 block format: a token with both lengths, up to 15 each, more in bytes that follow.
pub struct Lz4;

impl Lz4 {
    fn long(out: &mut Output<'_>, mut length: usize) {
        while length >= 255 {
            out.push(&[255]);
            length -= 255;
        }
        out.push(&[length as u8]);
    }

    fn token(literals: usize, len: usize) -> u8 {
        (literals.min(15) << 4 | len.min(15)) as u8
    }
}

impl Format for Lz4 {
    const LITERAL_END: usize = 5;

    #[inline(always)]
    fn sequence(out: &mut Output<'_>, input: &Input, from: usize, literals: usize, back: usize, len: usize) {
        let len = len - MIN_MATCH;
        if literals < 15 && len < 15 + 255 {
            let bytes = out.next::<{ 1 + SHORT }>(0);
            bytes[0] = Self::token(literals, len);
            bytes[1..].copy_from_slice(&short(input, from));
            // The length's own byte is always written, and kept if it is needed.
            let word = back as u32 | (len.wrapping_sub(15) as u32 & 0xff) << 16;
            *out.next(1 + literals) = word.to_le_bytes();
            out.advance(3 + literals + usize::from(len >= 15));
            return;
        }
        out.push(&[Self::token(literals, len)]);
        if literals >= 15 {
            Self::long(out, literals - 15);
        }
        out.push(&input[from..from + literals]);
        out.push(&(back as u16).to_le_bytes());
        if len >= 15 {
            Self::long(out, len - 15);
        }
    }

    fn literals(out: &mut Output<'_>, bytes: &[u8]) {
        out.push(&[Self::token(bytes.len(), 0)]);
        if bytes.len() >= 15 {
            Self::long(out, bytes.len() - 15);
        }
        out.push(bytes);
    }
}

/// Snappy's elements: literals, copies of 4–11 bytes from less than 2 KiB back, and copies of up to 64 bytes.
pub struct Snappy;

impl Snappy {
    fn copy(out: &mut Output<'_>, back: usize, len: usize) {
        out.push(&[(len as u8 - 1) << 2 | 2, back as u8, (back >> 8) as u8]);
    }
}

impl Format for Snappy {
    const LITERAL_END: usize = 0;

    #[inline(always)]
    fn sequence(out: &mut Output<'_>, input: &Input, from: usize, literals: usize, back: usize, mut len: usize) {
        if literals <= SHORT {
            let bytes = out.next::<{ 1 + SHORT }>(0);
            bytes[0] = (literals.wrapping_sub(1) << 2) as u8;
            bytes[1..].copy_from_slice(&short(input, from));
            out.advance(literals + usize::from(literals > 0));
        } else {
            Self::literals(out, &input[from..from + literals]);
        }
        // What remains must not be too short for a copy of its own.
        while len >= 64 + MIN_MATCH {
            Self::copy(out, back, 64);
            len -= 64;
        }
        if len > 64 {
            Self::copy(out, back, 60);
            len -= 60;
        }
        let near = len <= 11 && back < 2048;
        let word = if near {
            (back >> 8 << 5 | (len - MIN_MATCH) << 2 | 1) as u32 | (back as u32 & 0xff) << 8
        } else {
            ((len - 1) << 2 | 2) as u32 | (back as u32) << 8
        };
        *out.next(0) = word.to_le_bytes();
        out.advance(3 - usize::from(near));
    }

    fn literals(out: &mut Output<'_>, bytes: &[u8]) {
        match bytes.len() {
            0 => return,
            n @ 1..=60 => out.push(&[(n as u8 - 1) << 2]),
            n @ 61..=256 => out.push(&[60 << 2, (n - 1) as u8]),
            n => out.push(&[61 << 2, (n - 1) as u8, ((n - 1) >> 8) as u8]),
        }
        out.push(bytes);
    }
}
