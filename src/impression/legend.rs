//! What a seal says (印文) and the shape its kind prescribes.

use super::{Impression, ImpressionError, Picture, Shape};

/// Official red; e-seal makers use 255 0 0 or close to it (standards 4.2). This shade keeps black text under it legible.
const RED: [u8; 3] = [218, 18, 26];

/// What a round seal says and how it is cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Legend {
    /// Name on the upper arc, 4 to 40 characters, reading left to right.
    pub name: String,
    /// Purpose as a straight line under the centre (`行政审批专用章`), 2 to 12 characters.
    pub purpose: Option<String>,
    /// 13 or 14 digits on the lower arc.
    pub number: Option<String>,
    pub centre: Centre,
    /// Outside to outside of the rim, 30 to 60 mm.
    pub diameter_mm: f64,
    /// Width of the rim, 0.5 to 2 mm.
    pub rim_mm: f64,
    pub rgb: [u8; 3],
}

/// What stands in the middle.
#[derive(Debug, Clone, PartialEq)]
pub enum Centre {
    /// Five-point star (国发〔1999〕25号).
    Star,
    /// Nothing: most special-purpose seals.
    Blank,
    /// An emblem supplied as a picture, scaled into a circle of radius 1 round the origin, y down
    /// ([`Centre::picture`]).
    Picture(Vec<Shape>),
}

impl Legend {
    /// Seal of a local bureau: 42 mm, rim 1.2 mm, star, the whole name round it (国发〔1999〕25号).
    pub fn star(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            purpose: None,
            number: None,
            centre: Centre::Star,
            diameter_mm: 42.0,
            rim_mm: 1.2,
            rgb: RED,
        }
    }

    /// Special-purpose seal (专用章): 40 mm, rim 1.0 mm, blank centre, the unit round it and the purpose straight below.
    pub fn special(unit: impl Into<String>, purpose: impl Into<String>) -> Self {
        Self {
            purpose: Some(purpose.into()),
            centre: Centre::Blank,
            diameter_mm: 40.0,
            rim_mm: 1.0,
            ..Self::star(unit)
        }
    }

    /// The same with its number on the lower arc.
    pub fn numbered(self, number: impl Into<String>) -> Self {
        Self { number: Some(number.into()), ..self }
    }

    /// Checks lengths and sizes; what the font can draw is seen when drawing.
    pub(super) fn check(&self) -> Result<(), ImpressionError> {
        let length = |part, text: &str, from, to| match text.chars().count() {
            has if (from..=to).contains(&has) => Ok(()),
            has => Err(ImpressionError::Length { part, has, from, to }),
        };
        length("名称", &self.name, 4, 40)?;
        if let Some(purpose) = &self.purpose {
            length("用途", purpose, 2, 12)?;
        }
        if let Some(number) = &self.number
            && !(matches!(number.len(), 13 | 14) && number.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(ImpressionError::Number(number.clone()));
        }
        if !(30.0..=60.0).contains(&self.diameter_mm) || !(0.5..=2.0).contains(&self.rim_mm) {
            return Err(ImpressionError::Size { diameter_mm: self.diameter_mm, rim_mm: self.rim_mm });
        }
        Ok(())
    }
}

impl Centre {
    /// Takes a vector impression (an emblem read from SVG) as the centre; `None` for a raster one, which cannot be
    /// drawn into a vector seal.
    pub fn picture(emblem: &Impression) -> Option<Self> {
        let Picture::Vector(shapes) = &emblem.picture else { return None };
        let (cx, cy) = (emblem.width_mm / 2.0, emblem.height_mm / 2.0);
        let radius = cx.hypot(cy);
        let place = |x: f64, y: f64| ((x - cx) / radius, (y - cy) / radius);
        let shape = |s: &Shape| Shape { rgb: s.rgb, segments: s.segments.iter().map(|g| g.map(place)).collect() };
        Some(Self::Picture(shapes.iter().map(shape).collect()))
    }
}
