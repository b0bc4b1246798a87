//! One reading of a whole file from its first byte to its last: digests are made and words are found on the way, so that
//! a large file passes through memory once.

use super::PdfError;
use super::file::STARTXREF;
use super::lex::is_space;
use super::source::Source;
use crate::crypto::{Digest, Hashing};
use crate::limits;
use memchr::memmem::Finder;
use std::collections::BTreeSet;
use std::ops::Range;

/// Words of a file that an index may or may not lead to.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// How often `/ByteRange` is written.
    pub byte_ranges: usize,
    /// Where `startxref` stands.
    pub ends: Vec<usize>,
}

/// Reads all of the file, finds its words, and makes the digests. `known`: where objects stand, ascending; heads of
/// objects elsewhere are given back.
pub(super) fn sweep(
    source: Source<'_>,
    known: &[usize],
    digests: &mut Digests,
) -> Result<(Words, Vec<usize>), PdfError> {
    let (mut words, mut strays) = (Words::default(), Vec::new());
    let (ranges, ends, objects) = (Finder::new(b"/ByteRange"), Finder::new(STARTXREF), Finder::new(b"obj"));
    source.steps(0..source.length(), AROUND, |start, seen, own| {
        digests.feed(own.start, seen.get(own.start - start..own.end - start).unwrap_or_default());
        let mine = |at: &usize| own.contains(at);
        words.byte_ranges += ranges.find_iter(seen).map(|i| start + i).filter(mine).count();
        if words.ends.len() <= limits::PDF_ENDS {
            words.ends.extend(ends.find_iter(seen).map(|i| start + i).filter(mine));
        }
        if !known.is_empty() && strays.len() < limits::PDF_STRAYS {
            let here = objects.find_iter(seen).filter(|i| mine(&(start + i)));
            let heads = here.filter_map(|i| head_before(seen, i)).map(|i| start + i);
            strays.extend(heads.filter(|head| known.binary_search(head).is_err()));
        }
    })?;
    if words.ends.len() > limits::PDF_ENDS {
        return Err(PdfError::OverLimit { what: "ends of revisions", limit: limits::PDF_ENDS as u64 });
    }
    Ok((words, strays))
}

/// Bytes seen on either side of a step: more than the longest word, and than two numbers before `obj`.
const AROUND: usize = 32;

/// The start of `12 0 ` before an `obj` at `at`.
pub(super) fn head_before(bytes: &[u8], at: usize) -> Option<usize> {
    let before = bytes.get(..at)?;
    let back = |from: usize, kind: fn(u8) -> bool| {
        from - before.get(..from).unwrap_or_default().iter().rev().take_while(|b| kind(**b)).count()
    };
    let digit = |b: u8| b.is_ascii_digit();
    let generation_end = back(at, is_space);
    let generation = back(generation_end, digit);
    let number_end = back(generation, is_space);
    let number = back(number_end, digit);
    (generation < generation_end && number_end < generation && number < number_end).then_some(number)
}

/// Digests of one file's signatures. What several of them share from their first byte on is hashed once, so that seals put
/// on one after another cost one reading of the file; of others there are as many as the purse pays for.
pub(super) struct Digests {
    fronts: Vec<Front>,
    tails: Vec<Tail>,
    purse: u64,
}

/// A digest that grows from one byte on, and the places at which signatures' holes begin.
struct Front {
    algorithm: Digest,
    begin: usize,
    made: usize,
    cuts: BTreeSet<usize>,
    context: Hashing,
}

/// What one signature adds behind its hole.
struct Tail {
    algorithm: Digest,
    front: Range<usize>,
    rest: Range<usize>,
    /// From when the front has reached the hole.
    context: Option<Hashing>,
}

impl Digests {
    /// Of a file of so many bytes.
    pub fn new(length: usize) -> Self {
        let purse = limits::PDF_HASH_BASE + limits::PDF_HASH_PER_BYTE * length as u64;
        Self { fronts: Vec::new(), tails: Vec::new(), purse }
    }

    /// Asks for a digest over two ranges, (offset, length) each, the second behind the first. Where the purse does not pay
    /// for it, it will not be made.
    pub fn want(&mut self, algorithm: Digest, ranges: &[(usize, usize)]) {
        let Some((front, rest)) = spans(ranges) else { return };
        if self.tails.iter().any(|t| t.is(algorithm, &front, &rest)) {
            return;
        }
        let known = self.fronts.iter().position(|f| f.algorithm == algorithm && f.begin == front.start);
        let reached = known.and_then(|i| self.fronts.get(i)?.cuts.last().copied()).unwrap_or(front.start);
        let cost = front.end.saturating_sub(reached) + rest.len();
        let Some(left) = self.purse.checked_sub(cost as u64) else { return };
        self.purse = left;
        match known.and_then(|i| self.fronts.get_mut(i)) {
            Some(known) => {
                known.cuts.insert(front.end);
            }
            None => self.fronts.push(Front {
                algorithm,
                begin: front.start,
                made: front.start,
                cuts: BTreeSet::from([front.end]),
                context: algorithm.begin(),
            }),
        }
        self.tails.push(Tail { algorithm, front, rest, context: None });
    }

    /// The next bytes of the file, which begin at `at`.
    fn feed(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        let part = |range: Range<usize>| {
            let (from, to) = (range.start.max(at), range.end.min(end));
            if from < to { bytes.get(from - at..to - at).unwrap_or_default() } else { &[] }
        };
        for front in &mut self.fronts {
            while let Some(&cut) = front.cuts.first().filter(|_| front.made <= end) {
                front.context.update(part(front.made..cut));
                front.made = front.made.max(cut.min(end));
                if front.made < cut {
                    break;
                }
                front.cuts.pop_first();
                let waiting = self.tails.iter_mut().filter(|t| t.algorithm == front.algorithm);
                for tail in waiting.filter(|t| t.front == (front.begin..cut)) {
                    tail.context = Some(front.context.clone());
                }
            }
        }
        for tail in &mut self.tails {
            if let Some(context) = &mut tail.context {
                context.update(part(tail.rest.clone()));
            }
        }
    }

    /// The digest over these ranges, once the file was read.
    pub fn made(&self, algorithm: Digest, ranges: &[(usize, usize)]) -> Option<Vec<u8>> {
        let (front, rest) = spans(ranges)?;
        let tail = self.tails.iter().find(|t| t.is(algorithm, &front, &rest))?;
        Some(tail.context.clone()?.finish())
    }
}

impl Tail {
    fn is(&self, algorithm: Digest, front: &Range<usize>, rest: &Range<usize>) -> bool {
        self.algorithm == algorithm && self.front == *front && self.rest == *rest
    }
}

fn spans(ranges: &[(usize, usize)]) -> Option<(Range<usize>, Range<usize>)> {
    match ranges {
        [(a, m), (b, n)] => Some((*a..a.checked_add(*m)?, *b..b.checked_add(*n)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_digests_of_one_reading_are_what_each_would_be_by_itself() {
        let bytes: Vec<u8> = (0..700_000u32).map(|n| (n * 7 + n / 251) as u8).collect();
        let end = bytes.len();
        let ranges = [
            [(0, 10), (20, 30)],
            [(0, 262_144), (262_150, end - 262_150)],
            [(0, 400_000), (400_001, 5)],
            [(0, 10), (10, 0)],
            [(5, 300_000), (600_000, 100_000)],
            [(0, 0), (0, end)],
        ];
        let mut digests = Digests::new(end);
        for algorithm in [Digest::Sha256, Digest::Sha512] {
            ranges.iter().for_each(|r| digests.want(algorithm, r));
        }
        sweep(Source::from(&bytes), &[], &mut digests).unwrap();
        for algorithm in [Digest::Sha256, Digest::Sha512] {
            for range in &ranges {
                let [(a, m), (b, n)] = *range;
                let expected = algorithm.over(&[&bytes[a..a + m], &bytes[b..b + n]]);
                assert_eq!(digests.made(algorithm, range), Some(expected), "{range:?}");
            }
        }
    }

    #[test]
    fn what_is_shared_is_paid_once_and_the_purse_has_a_bottom() {
        let bytes = vec![b' '; 32 << 20];
        let mut digests = Digests::new(bytes.len());
        let one_after_another: Vec<_> = (0..1000).map(|n| [(0, 9_000 + n), (bytes.len() - 1, 1)]).collect();
        one_after_another.iter().for_each(|r| digests.want(Digest::Sha256, r));
        let each_its_own: Vec<_> = (1..128).map(|n| [(0, n), (200, bytes.len() - 200)]).collect();
        each_its_own.iter().for_each(|r| digests.want(Digest::Sha256, r));
        sweep(Source::from(&bytes), &[], &mut digests).unwrap();
        let made = |r: &&[(usize, usize); 2]| digests.made(Digest::Sha256, &r[..]).is_some();
        assert_eq!(one_after_another.iter().filter(made).count(), 1000);
        assert_eq!(each_its_own.iter().filter(made).count(), 5);
    }
}
