//! Which ready backends have a free slot: one bit each, so that finding one needs no scan and no allocation.

/// A set of ranks.
#[derive(Debug, Default)]
pub(super) struct Vacancies {
    words: Vec<u64>,
}

impl Vacancies {
    /// Starts over, with a rank per item of `vacant`.
    pub(super) fn reset(&mut self, vacant: impl Iterator<Item = bool>) {
        self.words.clear();
        for (rank, vacant) in vacant.enumerate() {
            if rank % 64 == 0 {
                self.words.push(0);
            }
            self.set(rank, vacant);
        }
    }

    pub(super) fn set(&mut self, rank: usize, vacant: bool) {
        let bit = 1 << (rank % 64);
        if vacant {
            self.words[rank / 64] |= bit;
        } else {
            self.words[rank / 64] &= !bit;
        }
    }

    /// The lowest rank at or above `start`.
    pub(super) fn first_from(&self, start: usize) -> Option<usize> {
        let (word, above) = (start / 64, u64::MAX << (start % 64));
        let first = self.words.get(word)? & above;
        let rest = self.words.iter().copied().enumerate().skip(word + 1);
        [(word, first)]
            .into_iter()
            .chain(rest)
            .find(|&(_, bits)| bits != 0)
            .map(|(word, bits)| word * 64 + bits.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vacant: &[usize], start: usize, expected: Option<usize>) {
        let mut set = Vacancies::default();
        set.reset((0..200).map(|rank| vacant.contains(&rank)));
        assert_eq!(set.first_from(start), expected, "{vacant:?} from {start}");
    }

    #[test]
    fn the_first_vacancy_is_found_across_words() {
        check(&[], 0, None);
        check(&[0], 0, Some(0));
        check(&[0], 1, None);
        check(&[63], 0, Some(63));
        check(&[63, 64], 64, Some(64));
        check(&[5, 130], 6, Some(130));
        check(&[199], 128, Some(199));
        check(&[199], 200, None);
        check(&[199], 10_000, None);
    }

    #[test]
    fn a_taken_vacancy_is_no_longer_found() {
        let mut set = Vacancies::default();
        set.reset([true, true].into_iter());
        set.set(0, false);
        assert_eq!(set.first_from(0), Some(1));
        set.set(0, true);
        assert_eq!(set.first_from(0), Some(0));
        set.reset([].into_iter());
        assert_eq!(set.first_from(0), None);
    }
}
