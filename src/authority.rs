//! Authorities: the government, the bureau that decides now, the departments that decided before.

use std::fmt;

use crate::message::Message;

/// Alphabet of GB 32100-2015: digits and capitals without I, O, S, V, Z; a character's value is its index.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// A unified social credit code (统一社会信用代码), 18 characters with a right check character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Uscc(String);

/// Why a text is not a unified social credit code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsccError {
    #[error("{}", self.message())]
    Length(usize),
    #[error("{}", self.message())]
    Character(char),
    #[error("{}", self.message())]
    Check { expected: char, found: char },
}

impl UsccError {
    /// For people.
    pub fn message(&self) -> Message {
        match self {
            UsccError::Length(n) => Message::new(
                "authority.uscc-length",
                format!("统一社会信用代码应为18位，收到{n}位，请核对"),
                format!("a unified social credit code has 18 characters, this has {n}; check the source"),
            ),
            UsccError::Character(c) => Message::new(
                "authority.uscc-character",
                format!("统一社会信用代码不含字符“{c}”（不使用I、O、S、V、Z），请核对"),
                format!("'{c}' does not occur in a unified social credit code (no I, O, S, V, Z); check the source"),
            ),
            UsccError::Check { expected, found } => Message::new(
                "authority.uscc-check",
                format!("统一社会信用代码校验码应为“{expected}”，实为“{found}”，请核对是否录入有误"),
                format!("the check character should be '{expected}', not '{found}'; look for a typing error"),
            ),
        }
    }
}

impl Uscc {
    /// Reads a code and checks its last character (GB 32100-2015; weights 3^(i-1) mod 31).
    pub fn parse(text: &str) -> Result<Self, UsccError> {
        let count = text.chars().count();
        if count != 18 {
            return Err(UsccError::Length(count));
        }
        let mut sum = 0;
        let mut weight = 1;
        for c in text.chars().take(17) {
            sum += value(c)? * weight;
            weight = weight * 3 % 31;
        }
        let found = text.chars().last().unwrap_or(' ');
        value(found)?;
        let expected = char::from(ALPHABET[(31 - sum % 31) % 31]);
        if found != expected {
            return Err(UsccError::Check { expected, found });
        }
        Ok(Self(text.to_owned()))
    }

    /// The 18 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn value(c: char) -> Result<usize, UsccError> {
    ALPHABET.iter().position(|&a| char::from(a) == c).ok_or(UsccError::Character(c))
}

impl fmt::Display for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Uscc {
    type Error = UsccError;
    fn try_from(text: String) -> Result<Self, UsccError> {
        Self::parse(&text)
    }
}

impl From<Uscc> for String {
    fn from(code: Uscc) -> String {
        code.0
    }
}

/// What an authority is in the reform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthorityKind {
    /// 人民政府: orders abolitions.
    Government,
    /// 行政审批局: decides the items that were transferred to it.
    Bureau,
    /// 行权部门: decided before, supervises now.
    Department,
}

impl AuthorityKind {
    /// As stored and as written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            AuthorityKind::Government => "government",
            AuthorityKind::Bureau => "bureau",
            AuthorityKind::Department => "department",
        }
    }
}

/// A body that holds seals.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Authority {
    pub uscc: Uscc,
    pub name: String,
    pub kind: AuthorityKind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_codes_pass() {
        for code in [
            "11100000000013338W",
            "11430000006122244L",
            "11100000000013661B",
            "113700000045046442",
            "11330105002500287C",
            "11100000MB03271699",
            "91350100M000100Y43",
        ] {
            assert!(Uscc::parse(code).is_ok(), "{code}");
        }
    }

    #[test]
    fn a_wrong_check_character_is_named() {
        assert_eq!(
            Uscc::parse("91350100M000100Y4Z"),
            Err(UsccError::Character('Z')),
            "the textbook's wrong one ends in a letter outside the alphabet"
        );
        assert_eq!(Uscc::parse("11100000000013338X"), Err(UsccError::Check { expected: 'W', found: 'X' }));
        assert_eq!(Uscc::parse("1110"), Err(UsccError::Length(4)));
        assert_eq!(Uscc::parse("1110000000001333８W"), Err(UsccError::Character('８')), "full-width digit");
    }

    proptest::proptest! {
        /// One wrong character, or two neighbours swapped, never passes.
        #[test]
        fn single_errors_are_caught(position in 0usize..18, by in 1usize..31) {
            let good = b"11330105002500287C";
            let mut bad = good.to_vec();
            let old = ALPHABET.iter().position(|a| *a == good[position]).unwrap();
            bad[position] = ALPHABET[(old + by) % 31];
            proptest::prop_assert!(Uscc::parse(std::str::from_utf8(&bad).unwrap()).is_err());
        }
    }
}
