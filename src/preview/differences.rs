//! Where two pictures of a page differ: a few frames around the places, drawn into the pictures themselves.
//!
//! Both were drawn by the same program, so what was not changed is the same to the last pixel; small differences of a
//! shade are passed over because transparency may round differently.

use image::{Rgb, RgbImage};

/// Side of the squares in which pixels are compared, dots: a letter of the smallest print.
const CELL: u32 = 16;
/// Difference of one colour, of 255, that an eye may notice.
const SHADE: u8 = 24;
/// Frames drawn on one page; with more of them, one around all says as much.
const FRAMES: usize = 24;
/// Distance and thickness of a frame, dots.
const MARGIN: u32 = 4;
const LINE: u32 = 3;
/// The red of the house, on white and on a seal.
const RED: Rgb<u8> = Rgb([0xd0, 0x12, 0x1a]);

/// A rectangle: left, top, right, bottom, dots; the last two lie outside.
pub(super) type Area = (u32, u32, u32, u32);

/// The differing places, none where the pictures look the same. Pictures of different size differ everywhere.
pub(super) fn areas(one: &RgbImage, other: &RgbImage) -> Vec<Area> {
    if one.dimensions() != other.dimensions() {
        return vec![(0, 0, one.width(), one.height())];
    }
    let (columns, rows) = (one.width().div_ceil(CELL), one.height().div_ceil(CELL));
    let mut differs = vec![false; (columns * rows) as usize];
    for ((x, y, here), there) in one.enumerate_pixels().zip(other.pixels()) {
        if here.0.iter().zip(there.0).any(|(a, b)| a.abs_diff(b) > SHADE)
            && let Some(cell) = differs.get_mut((y / CELL * columns + x / CELL) as usize)
        {
            *cell = true;
        }
    }
    let mut found = Vec::new();
    for start in 0..differs.len() {
        if let Some(area) = patch(&mut differs, columns, rows, start as u32) {
            found.push(area);
        }
    }
    let around = |a: Area, b: &Area| (a.0.min(b.0), a.1.min(b.1), a.2.max(b.2), a.3.max(b.3));
    if found.len() > FRAMES {
        found = found.iter().copied().reduce(|a, b| around(a, &b)).into_iter().collect();
    }
    let inside = |(l, t, r, b)| (l, t, u32::min(r, one.width()), u32::min(b, one.height()));
    found.into_iter().map(inside).collect()
}

/// The rectangle around the differing cells that hang together with this one, which are then seen no more. Cells with one
/// same cell between them still hang together, so that the letters of a word share a frame.
fn patch(differs: &mut [bool], columns: u32, rows: u32, start: u32) -> Option<Area> {
    let mut take = |cell: u32| differs.get_mut(cell as usize).is_some_and(std::mem::take);
    if !take(start) {
        return None;
    }
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    let mut open = vec![start];
    while let Some(cell) = open.pop() {
        let (x, y) = (cell % columns, cell / columns);
        (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1));
        for y in y.saturating_sub(2)..(y + 3).min(rows) {
            for x in x.saturating_sub(2)..(x + 3).min(columns) {
                if take(y * columns + x) {
                    open.push(y * columns + x);
                }
            }
        }
    }
    Some((left * CELL, top * CELL, right * CELL, bottom * CELL))
}

/// Draws a frame around each area.
pub(super) fn mark(picture: &mut RgbImage, areas: &[Area]) {
    let (width, height) = picture.dimensions();
    for &(left, top, right, bottom) in areas {
        let outer = (
            left.saturating_sub(MARGIN + LINE),
            top.saturating_sub(MARGIN + LINE),
            (right + MARGIN + LINE).min(width),
            (bottom + MARGIN + LINE).min(height),
        );
        for y in outer.1..outer.3 {
            for x in outer.0..outer.2 {
                let in_line = x < outer.0 + LINE || x + LINE >= outer.2 || y < outer.1 + LINE || y + LINE >= outer.3;
                if in_line && let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
                    *pixel = RED;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper() -> RgbImage {
        RgbImage::from_pixel(400, 300, Rgb([255, 255, 255]))
    }

    #[test]
    fn the_same_differs_nowhere_and_a_shade_counts_for_nothing() {
        let mut other = paper();
        other.put_pixel(10, 10, Rgb([240, 250, 255]));
        assert_eq!(areas(&paper(), &other), []);
    }

    #[test]
    fn each_place_has_its_frame() {
        let mut other = paper();
        other.put_pixel(33, 40, Rgb([0, 0, 0]));
        // One cell further on: the same word.
        other.put_pixel(65, 40, Rgb([0, 0, 0]));
        other.put_pixel(399, 299, Rgb([255, 255, 100]));
        assert_eq!(areas(&paper(), &other), [(32, 32, 80, 48), (384, 288, 400, 300)]);
        mark(&mut other, &[(32, 32, 80, 48), (384, 288, 400, 300)]);
        assert_eq!((other.get_pixel(25, 25), other.get_pixel(40, 36)), (&RED, &Rgb([255, 255, 255])));
        assert_eq!(other.get_pixel(399, 285), &RED, "a frame at the edge stays inside");
    }

    #[test]
    fn many_places_share_one_frame_and_another_size_differs_whole() {
        let mut other = paper();
        for i in 0..40 {
            other.put_pixel(i % 8 * 50, i / 8 * 60, Rgb([0, 0, 0]));
        }
        assert_eq!(areas(&paper(), &other), [(0, 0, 352, 256)]);
        assert_eq!(areas(&paper(), &RgbImage::new(400, 301)), [(0, 0, 400, 300)]);
    }
}
