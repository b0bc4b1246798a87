//! Where the seal goes on a document drafted elsewhere.

use super::{UploadPlace, UploadRequest, is_package};
use crate::desk::FlowError;
use crate::impression::Place;
use crate::limits;
use crate::message::Message;
use crate::ofd::{self, seal::SealFault};
use crate::pdf::text;

/// The places that were asked for, on this very file.
pub(super) fn places_on(file: &[u8], request: &UploadRequest) -> Result<Vec<Place>, FlowError> {
    if request.more_places.len() >= limits::SEAL_PLACES {
        let most = limits::SEAL_PLACES;
        return Err(FlowError::Request(Message::new(
            "issue.places",
            format!("一份文书同一枚印章最多盖{most}处；请减少盖章位置"),
            format!("one seal goes on at most {most} places of a document; name fewer"),
        )));
    }
    let mut words = Words { file, known: Vec::new() };
    let mut places = Vec::new();
    for wanted in [&request.place].into_iter().chain(&request.more_places) {
        places.push(match wanted {
            UploadPlace::At { page, x_mm, y_mm } => {
                Place::On { page: page.saturating_sub(1), centre_mm: (*x_mm, *y_mm) }
            }
            UploadPlace::Keyword { text, nth, dx_mm, dy_mm } => {
                let (page, (x, y)) = words.nth(text, *nth)?;
                Place::On { page, centre_mm: (x + dx_mm, y + dy_mm) }
            }
        });
    }
    places.extend(request.straddle_mm.map(|centre_mm| Place::Straddle { centre_mm }));
    Ok(places)
}

/// Finds words in one file, each once.
struct Words<'a> {
    file: &'a [u8],
    known: Vec<(String, Vec<Middle>)>,
}

/// Page (from 0) and middle of a word.
type Middle = (u32, (f64, f64));

impl Words<'_> {
    fn nth(&mut self, keyword: &str, nth: u32) -> Result<Middle, FlowError> {
        if self.known.iter().all(|(known, _)| known != keyword) {
            let found = self.find(keyword)?;
            self.known.push((keyword.to_owned(), found));
        }
        let found = self.known.iter().find(|(known, _)| known == keyword).map_or(&[][..], |(_, found)| found);
        let place = usize::try_from(nth).unwrap_or(usize::MAX);
        place.checked_sub(1).and_then(|n| found.get(n)).copied().ok_or_else(|| {
            FlowError::Request(Message::new(
                "issue.keyword",
                format!("文书中“{keyword}”只出现{}次，找不到第{nth}处；请核对关键字或改用页码和坐标", found.len()),
                format!("'{keyword}' stands {} time(s) in the document, there is no number {nth}; check the keyword or give page and millimetres", found.len()),
            ))
        })
    }

    fn find(&self, keyword: &str) -> Result<Vec<Middle>, FlowError> {
        if is_package(self.file) {
            let found = ofd::text::occurrences(self.file, keyword).map_err(SealFault::from)?;
            return Ok(found.iter().map(|word| (word.page, word.centre_mm)).collect());
        }
        Ok(text::occurrences(self.file, keyword)?.iter().map(|word| (word.page, word.centre_mm())).collect())
    }
}
