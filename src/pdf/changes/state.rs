//! What a content stream draws with at one moment (ISO 32000-1 §8.4), as far as it matters to what lies under it.

use super::letters::Ink;
use crate::pdf::matrix::Matrix;
use crate::pdf::text::Writing;
use std::rc::Rc;

/// What leaves at most so much of what lies under it to be seen hides nothing by itself.
pub(super) const CLEAR: f64 = 0.6;

#[derive(Clone)]
pub(super) struct State {
    /// To the cells of the canvas.
    pub matrix: Matrix,
    pub width: f64,
    pub cap: f64,
    pub join: f64,
    pub miter: f64,
    /// What is filled, and what is stroked.
    pub fill: Colour,
    pub stroke: Colour,
    /// Multiplied with what is there (§11.3.5), so that light colours leave what is dark.
    pub multiplied: bool,
    /// In a group of its own, which is put on the page as it was when it began (§11.4.5).
    pub isolated: bool,
    /// §9.3.6.
    pub mode: f64,
    pub writing: Writing,
    pub ink: Option<Rc<Ink>>,
}

/// A colour as far as it matters, each from 0 to 1 (§11.3.7, §11.6.4.4).
#[derive(Clone, Copy)]
pub(super) struct Colour {
    pub alpha: f64,
    pub light: f64,
    pub channels: [f64; 3],
    /// How many numbers say a colour; 0 where the space is not one of the device's.
    pub parts: usize,
}

impl State {
    pub fn at(matrix: Matrix) -> Self {
        let black = Colour { alpha: 1.0, light: 0.0, channels: [0.0; 3], parts: 1 };
        let (width, cap, join, miter, mode) = (1.0, 0.0, 0.0, 10.0, 0.0);
        let (fill, stroke, multiplied, isolated) = (black, black, false, false);
        let writing = Writing::start();
        Self { matrix, width, cap, join, miter, fill, stroke, multiplied, isolated, mode, writing, ink: None }
    }

    /// How much of what is there this ink takes away.
    pub fn opacity(&self, ink: Colour) -> f64 {
        if self.multiplied { ink.alpha * (1.0 - ink.light) } else { ink.alpha }
    }

    /// Nothing filled now hides what is under it by itself.
    pub fn is_clear(&self, ink: Colour) -> bool {
        self.opacity(ink) <= CLEAR
    }

    /// All of it, as bytes; none where text has been set up, which is not compared.
    pub fn key(&self) -> Option<Vec<u8>> {
        let Self { matrix: Matrix(matrix), width, cap, join, miter, fill, stroke, multiplied, isolated, mode, .. } =
            self;
        let [a, b, c, d, x, y] = *matrix;
        // Finer than anything that is seen of it.
        let [x, y] = [x, y].map(|place| (place * 64.0).round());
        let inks = [fill, stroke].into_iter().flat_map(|ink| {
            let [r, g, b] = ink.channels;
            [ink.alpha, r, g, b, ink.parts as f64]
        });
        let numbers = [a, b, c, d, x, y, *width, *cap, *join, *miter, *mode].into_iter().chain(inks);
        let numbers = numbers.flat_map(|n| n.to_bits().to_be_bytes());
        let bits = [*multiplied, *isolated].map(u8::from);
        (self.writing.is_start() && self.ink.is_none()).then(|| numbers.chain(bits).collect())
    }
}
