//! A set of object numbers. Those of a file lie close together, so a bit for each is smaller and faster than a tree of them:
//! every earlier signature asks anew about everything that later ones brought.

use crate::limits;

/// Numbers below [`limits::PDF_OBJECTS`]; a file has no others.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    words: Vec<u64>,
}

impl Numbers {
    /// False where it was there before, or where no file can have it.
    pub fn insert(&mut self, number: u32) -> bool {
        let (word, bit) = place(number);
        if number as usize >= limits::PDF_OBJECTS {
            return false;
        }
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        match self.words.get_mut(word) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }

    pub fn contains(&self, number: u32) -> bool {
        let (word, bit) = place(number);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether a number is in both.
    pub fn meets(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(a, b)| a & b != 0)
    }

    /// Ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let bits = |word: u64| (0..64).filter(move |bit| word >> bit & 1 == 1);
        let words = self.words.iter().zip((0_u32..).step_by(64));
        words.filter(|(word, _)| **word != 0).flat_map(move |(word, first)| bits(*word).map(move |bit| first + bit))
    }
}

impl FromIterator<u32> for Numbers {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut all = Self::default();
        numbers.into_iter().for_each(|number| {
            all.insert(number);
        });
        all
    }
}

fn place(number: u32) -> (usize, u64) {
    (number as usize / 64, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_in_and_nothing_else() {
        let mut numbers: Numbers = [64, 3, 1_999_999, 63].into_iter().collect();
        assert!(!numbers.insert(3) && numbers.insert(4));
        assert!(!numbers.insert(2_000_000) && !numbers.insert(u32::MAX), "no file has them");
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [3, 4, 63, 64, 1_999_999]);
        assert!(!numbers.contains(5) && !numbers.contains(65) && !numbers.contains(u32::MAX));
        assert_eq!(numbers.len(), 5);
        let of = |number: u32| [number].into_iter().collect::<Numbers>();
        assert!(numbers.meets(&of(63)) && of(63).meets(&numbers) && !numbers.meets(&of(62)));
    }
}
