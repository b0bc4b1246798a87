//! What stands before an operator (ISO 32000-1 Annex A), and what it says.

use crate::pdf::object::Object;

/// Larger numbers are not held by every reader.
const LARGE: f64 = 1e6;

/// Whether an operator of Annex A has the operands it takes, and numbers that every reader can hold.
pub(super) fn fits(word: &[u8], operands: &[Object]) -> bool {
    let number = |o: &Object| o.number().is_some_and(|n| n.abs() < LARGE);
    let name = |o: &Object| o.name().is_some();
    let string = |o: &Object| matches!(o, Object::String(_));
    let count = operands.len();
    let numbers = |n: usize| count == n && operands.iter().all(number);
    match word {
        b"q" | b"Q" | b"h" | b"S" | b"s" | b"f" | b"F" | b"f*" | b"B" | b"B*" | b"b" | b"b*" | b"n" | b"W" | b"W*"
        | b"BT" | b"ET" | b"T*" | b"EMC" | b"BX" | b"EX" | b"BI" => count == 0,
        b"w" | b"J" | b"j" | b"M" | b"i" | b"g" | b"G" | b"Tc" | b"Tw" | b"Tz" | b"TL" | b"Ts" | b"Tr" => numbers(1),
        b"m" | b"l" | b"Td" | b"TD" => numbers(2),
        b"rg" | b"RG" => numbers(3),
        b"re" | b"v" | b"y" | b"k" | b"K" => numbers(4),
        b"c" | b"cm" | b"Tm" => numbers(6),
        b"gs" | b"Do" | b"cs" | b"CS" | b"ri" | b"sh" | b"MP" | b"BMC" => count == 1 && operands.iter().all(name),
        b"sc" | b"SC" => (1..=32).contains(&count) && operands.iter().all(number),
        b"scn" | b"SCN" => match operands.split_last() {
            Some((last, rest)) => count <= 32 && (number(last) || name(last)) && rest.iter().all(number),
            None => false,
        },
        b"d" => matches!(operands, [Object::Array(dashes), phase] if number(phase) && dashes.iter().all(number)),
        b"Tf" => matches!(operands, [font, size] if name(font) && number(size)),
        b"Tj" | b"'" => count == 1 && operands.iter().all(string),
        b"TJ" => matches!(operands, [Object::Array(parts)] if parts.iter().all(|part| string(part) || number(part))),
        b"\"" => matches!(operands, [word, letter, text] if number(word) && number(letter) && string(text)),
        b"BDC" | b"DP" => matches!(operands, [tag, Object::Name(_) | Object::Dict(_)] if name(tag)),
        b"ID" => true,
        _ => false,
    }
}

/// Red, green and blue of a colour of one of the device's spaces, each 0 to 1; black where it is of another.
pub(super) fn channels(colour: &[f64]) -> [f64; 3] {
    let part = |n: f64| n.clamp(0.0, 1.0);
    match *colour {
        [grey] => [part(grey); 3],
        [r, g, b] => [r, g, b].map(part),
        [c, m, y, k] => [c, m, y].map(|ink| (1.0 - part(k)) * (1.0 - part(ink))),
        _ => [0.0; 3],
    }
}

/// How light that is to an eye, 0 to 1.
pub(super) fn lightness([r, g, b]: [f64; 3]) -> f64 {
    0.3 * r + 0.59 * g + 0.11 * b
}

/// Whether a string, or one of several, has anything in it. Blanks count: an encoding may make letters of them.
pub(super) fn is_something(operand: &Object) -> bool {
    match operand {
        Object::String(text) => !text.is_empty(),
        Object::Array(items) => items.iter().any(is_something),
        _ => false,
    }
}
