//! The process that draws: a document on its standard input, lines of JSON on its standard output, and then its end.
//!
//! For a PDF the lengths on its command line say where earlier states of the document end; the last state is the whole. An OFD
//! has one state, since its signatures cover whole files. A panic, a limit or a signal ends the process and nothing else.

use std::io::{Read, Write};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::Pdf;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{RenderCache, RenderSettings, render};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};

use super::{Line, cage, differences};
use crate::{limits, ofd};

/// Draws the PDF that stands on the standard input, in the cage.
///
/// # Errors
/// In words for the error stream: no cage, no document, or nobody listening.
pub fn draw(lengths: &[usize]) -> Result<(), String> {
    let (bytes, mut answer) = begin()?;
    let bytes: Arc<[u8]> = bytes.into();
    let state = |length: usize| Pdf::new(Arc::new(State { whole: bytes.clone(), length }));
    let now = state(bytes.len()).map_err(|e| format!("{e:?}"))?;
    let shown = pages(&now);
    answer.line(&Line::Pages { of: now.pages().len() })?;
    for picture in &shown {
        answer.line(&Line::Now { png: png(picture)? })?;
    }
    for (index, length) in lengths.iter().take(limits::PREVIEW_STATES).enumerate() {
        let Ok(signed) = state(*length) else {
            answer.line(&Line::Unreadable { state: index })?;
            continue;
        };
        let signed = pages(&signed);
        for page in 0..signed.len().max(shown.len()) {
            let line = match (signed.get(page), shown.get(page)) {
                (Some(then), Some(now)) => {
                    let areas = differences::areas(then, now);
                    let marked = |picture: &RgbImage| {
                        let mut picture = picture.clone();
                        differences::mark(&mut picture, &areas);
                        png(&picture)
                    };
                    match areas.len() {
                        0 => Line::Same { state: index, page },
                        places => Line::Differs {
                            state: index,
                            page,
                            places,
                            then: Some(marked(then)?),
                            now: Some(marked(now)?),
                        },
                    }
                }
                // A page was added or taken away.
                (then, now) => Line::Differs {
                    state: index,
                    page,
                    places: 1,
                    then: then.map(png).transpose()?,
                    now: now.map(png).transpose()?,
                },
            };
            answer.line(&line)?;
        }
    }
    Ok(())
}

/// Draws the OFD that stands on the standard input, in the cage.
///
/// # Errors
/// As [`draw`].
pub fn draw_ofd() -> Result<(), String> {
    let (bytes, mut answer) = begin()?;
    let drawing = ofd::draw::draw(&bytes, limits::PREVIEW_PAGES).map_err(|fault| fault.to_string())?;
    answer.line(&Line::Pages { of: drawing.of })?;
    // Before the pages, which may leave no room for it.
    for said in drawing.left_out {
        answer.line(&Line::Omits { zh: said.zh, en: said.en })?;
    }
    for sheet in drawing.pages {
        answer.line(&Line::Sheet { page: sheet.number, seals: sheet.seals, svg: BASE64_STANDARD.encode(sheet.svg) })?;
    }
    Ok(())
}

/// Closes the cage, and only then reads.
fn begin() -> Result<(Vec<u8>, Answer), String> {
    let say = |what: &str, why: &dyn std::fmt::Display| format!("{what}: {why}");
    let landlock = cage::close().map_err(|e| say("no cage", &e))?;
    let mut bytes = Vec::new();
    let most = limits::PREVIEW_BYTES as u64;
    std::io::stdin().lock().take(most + 1).read_to_end(&mut bytes).map_err(|e| say("not read", &e))?;
    if bytes.len() as u64 > most {
        return Err("too large".into());
    }
    let mut answer = Answer { room: limits::PREVIEW_OUTPUT_BYTES };
    answer.line(&Line::Caged { landlock })?;
    Ok((bytes, answer))
}

/// A document as it was when its file was shorter.
struct State {
    whole: Arc<[u8]>,
    length: usize,
}

impl AsRef<[u8]> for State {
    fn as_ref(&self) -> &[u8] {
        self.whole.get(..self.length).unwrap_or(&self.whole)
    }
}

/// The first pages, drawn on white paper.
fn pages(pdf: &Pdf) -> Vec<RgbImage> {
    let (cache, settings) = (RenderCache::new(), InterpreterSettings::default());
    let mut drawn = Vec::new();
    for page in pdf.pages().iter().take(limits::PREVIEW_PAGES) {
        let (width, height) = page.render_dimensions();
        let scale = (limits::PREVIEW_DPI / 72.0).min(limits::PREVIEW_SIDE / width.max(height).max(1.0));
        // Never over PREVIEW_SIDE by the line above; never nothing.
        let dots = |points: f32| (points * scale).ceil().max(1.0) as u16;
        let wanted = RenderSettings {
            x_scale: scale,
            y_scale: scale,
            width: Some(dots(width)),
            height: Some(dots(height)),
            bg_color: WHITE,
        };
        let dots = render(page, &cache, &settings, &wanted);
        let colours = dots.data_as_u8_slice().chunks_exact(4).flat_map(|dot| dot.iter().take(3).copied()).collect();
        drawn.extend(RgbImage::from_raw(dots.width().into(), dots.height().into(), colours));
    }
    drawn
}

fn png(picture: &RgbImage) -> Result<String, String> {
    let mut file = Vec::new();
    let encoder = PngEncoder::new(&mut file);
    let written = encoder.write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8);
    written.map_err(|e| e.to_string())?;
    Ok(BASE64_STANDARD.encode(file))
}

/// The standard output, with what may still be written.
struct Answer {
    room: usize,
}

impl Answer {
    /// One line, or the word that there is no more room.
    fn line(&mut self, line: &Line) -> Result<(), String> {
        let text = serde_json::to_string(line).map_err(|e| e.to_string())?;
        let mut out = std::io::stdout().lock();
        let Some(room) = self.room.checked_sub(text.len() + 1) else {
            let _ = writeln!(out, "{}", serde_json::to_string(&Line::Full).unwrap_or_default());
            return Err("no more room".into());
        };
        self.room = room;
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|e| e.to_string())
    }
}
