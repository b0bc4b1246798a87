//! Where an impression stands on a document: at its true size on a page, or cut over the edges of all pages (骑缝章).

use crate::limits;

/// A place for the seal, millimetres right and down from the top left of the page as displayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    /// Its middle, on this page (from 0).
    On { page: u32, centre_mm: (f64, f64) },
    /// Its middle so far down on the right edges of all pages: each shows a strip, together they are the seal.
    Straddle { centre_mm: f64 },
}

/// The part of a straddle seal that one page shows, millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strip {
    /// From 0.
    pub page: u32,
    /// How much of the seal lies left of the strip: the pages before show that.
    pub hidden: f64,
    pub width: f64,
}

impl Strip {
    /// Where the whole seal would begin on a page this wide, so that the strip ends at its right edge.
    pub fn left(&self, page_width: f64) -> f64 {
        page_width - self.width - self.hidden
    }
}

/// A seal `width` wide cut over so many pages, a strip for each; none where there is no second page to cut it with.
pub fn strips(width: f64, pages: u32) -> impl Iterator<Item = Strip> {
    // Batches of much the same size, so that no page is left alone; each shows the whole seal.
    let batches = if pages < 2 { 0 } else { pages.div_ceil(limits::STRADDLE_PAGES) };
    let start = move |batch: u32| (u64::from(batch) * u64::from(pages) / u64::from(batches.max(1))) as u32;
    (0..batches).flat_map(move |batch| {
        let (from, to) = (start(batch), start(batch + 1));
        let strip = width / f64::from(to - from);
        (from..to).map(move |page| Strip { page, hidden: f64::from(page - from) * strip, width: strip })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_shows_a_strip_and_every_batch_the_seal() {
        assert_eq!(strips(40.0, 0).count() + strips(40.0, 1).count(), 0);
        let five: Vec<Strip> = strips(40.0, 5).collect();
        assert_eq!(five.iter().map(|s| (s.page, s.hidden, s.width)).collect::<Vec<_>>()[4], (4, 32.0, 8.0));
        assert_eq!(five.iter().map(|s| s.left(210.0)).collect::<Vec<_>>(), [202.0, 194.0, 186.0, 178.0, 170.0]);
        for pages in 2..200 {
            let all: Vec<Strip> = strips(42.0, pages).collect();
            assert_eq!(all.iter().map(|s| s.page).collect::<Vec<_>>(), (0..pages).collect::<Vec<_>>());
            let starts: Vec<usize> = (0..all.len()).filter(|&i| all[i].hidden == 0.0).collect();
            for (n, &from) in starts.iter().enumerate() {
                let batch = &all[from..starts.get(n + 1).copied().unwrap_or(all.len())];
                assert!((2..=limits::STRADDLE_PAGES as usize).contains(&batch.len()), "{pages} pages");
                assert!((batch.iter().map(|s| s.width).sum::<f64>() - 42.0).abs() < 1e-9);
                let joined = |pair: &[Strip]| (pair[0].hidden + pair[0].width - pair[1].hidden).abs() < 1e-9;
                assert!(batch.windows(2).all(joined), "{pages} pages");
            }
        }
    }
}
