//! Where the seal goes on a document drafted elsewhere.

use super::UploadPlace;
use crate::desk::FlowError;
use crate::message::Message;
use crate::ofd::{
    self,
    seal::{Place as OfdPlace, SealFault},
};
use crate::pdf::seal::Place;
use crate::pdf::text;

/// The place that was asked for, on this very file.
pub(super) fn place_on(pdf: &[u8], wanted: &UploadPlace) -> Result<Place, FlowError> {
    match wanted {
        UploadPlace::At { page, x_mm, y_mm } => Ok(Place { page: page.saturating_sub(1), centre_mm: (*x_mm, *y_mm) }),
        UploadPlace::Keyword { text: keyword, nth, dx_mm, dy_mm } => {
            let found = text::occurrences(pdf, keyword)?;
            let found = nth_of(&found, keyword, *nth)?;
            let (x, y) = found.centre_mm();
            Ok(Place { page: found.page, centre_mm: (x + dx_mm, y + dy_mm) })
        }
    }
}

/// The same on an OFD.
pub(super) fn place_on_ofd(file: &[u8], wanted: &UploadPlace) -> Result<OfdPlace, FlowError> {
    match wanted {
        UploadPlace::At { page, x_mm, y_mm } => {
            Ok(OfdPlace::On { page: page.saturating_sub(1), centre_mm: (*x_mm, *y_mm) })
        }
        UploadPlace::Keyword { text: keyword, nth, dx_mm, dy_mm } => {
            let found = ofd::text::occurrences(file, keyword).map_err(SealFault::from)?;
            let found = nth_of(&found, keyword, *nth)?;
            let (x, y) = found.centre_mm;
            Ok(OfdPlace::On { page: found.page, centre_mm: (x + dx_mm, y + dy_mm) })
        }
    }
}

fn nth_of<'a, T>(found: &'a [T], keyword: &str, nth: u32) -> Result<&'a T, FlowError> {
    let place = usize::try_from(nth).unwrap_or(usize::MAX);
    place.checked_sub(1).and_then(|n| found.get(n)).ok_or_else(|| {
        FlowError::Request(Message::new(
            "issue.keyword",
            format!("文书中“{keyword}”只出现{}次，找不到第{nth}处；请核对关键字或改用页码和坐标", found.len()),
            format!("'{keyword}' stands {} time(s) in the document, there is no number {nth}; check the keyword or give page and millimetres", found.len()),
        ))
    })
}
