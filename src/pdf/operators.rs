//! A content stream as what it is: operators with the operands before them (ISO 32000-1 §7.8.2).

use super::PdfError;
use super::lex::{Lexer, is_space};
use super::object::Object;

/// Goes through one content stream. What is neither an operand nor an operator is passed over, as viewers do.
pub(super) struct Operators<'c> {
    content: &'c [u8],
    lexer: Lexer<'c>,
    /// Something was passed over, such as a string without an end: other readers may go on elsewhere, or nowhere.
    pub stumbled: bool,
}

/// An operator's operands, and its name.
type Operator<'c> = (Vec<Object>, &'c [u8]);

/// No operator takes more than a few; the first ones are kept.
const OPERANDS: usize = 64;

impl<'c> Operators<'c> {
    pub fn of(content: &'c [u8]) -> Self {
        Self { content, lexer: Lexer::at(content, 0), stumbled: false }
    }

    /// The next operator, after its operands; `None` at the end. Data of an inline image are skipped.
    ///
    /// Errors: an operand is beyond the limits.
    pub fn next(&mut self) -> Result<Option<Operator<'c>>, PdfError> {
        let mut operands = Vec::new();
        loop {
            self.lexer.skip_space();
            if self.lexer.peek().is_none() {
                return Ok(None);
            }
            let before = self.lexer.pos;
            match self.lexer.object() {
                Ok(object) => {
                    if operands.len() < OPERANDS {
                        operands.push(object);
                    }
                    continue;
                }
                Err(limit @ PdfError::OverLimit { .. }) => return Err(limit),
                Err(_) => self.lexer.pos = before,
            }
            let word = self.lexer.word();
            if word.is_empty() {
                self.lexer.pos += 1;
                self.stumbled = true;
            }
            if word == b"ID" {
                skip_image(self.content, &mut self.lexer);
            }
            return Ok(Some((operands, word)));
        }
    }
}

/// Past an inline image's data (§8.9.7): to `EI` between white space.
fn skip_image(content: &[u8], lexer: &mut Lexer<'_>) {
    let rest = content.get(lexer.pos..).unwrap_or_default();
    let ends = rest.windows(4).position(|w| matches!(w, [a, b'E', b'I', b] if is_space(*a) && is_space(*b)));
    lexer.pos += ends.map_or(rest.len(), |at| at + 3);
}
