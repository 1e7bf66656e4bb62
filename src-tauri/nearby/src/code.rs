//! The short code that a person carries from one screen to the other.

use std::fmt;

use uuid::Uuid;

/// Digits of a code: with five tries, one guess in twenty million is right.
const DIGITS: usize = 8;

/// A code of eight digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// A code that nobody can foresee.
    pub fn random() -> Self {
        // The lower half of such an id holds 62 random bits (RFC 9562 section 5.4), against which the remainder's bias is nothing.
        let random = Uuid::new_v4().as_u64_pair().1 & (u64::MAX >> 2);
        Self(format!("{:0DIGITS$}", random % 10_u64.pow(DIGITS as u32)))
    }

    /// What a person has typed: the digits, however they are parted.
    pub fn read(typed: &str) -> Option<Self> {
        let digits: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        (digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_digit())).then_some(Self(digits))
    }

    pub(crate) fn digits(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Code {
    /// In two halves, as it is read aloud.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, other) = self.0.split_at(DIGITS / 2);
        write!(f, "{one}-{other}")
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed_and_nothing_else_is() {
        let code = Code::random();
        assert_eq!(Code::read(&code.to_string()), Some(code.clone()));
        assert_eq!(Code::read(&format!(" {} ", code.to_string().replace('-', " "))), Some(code));
        for typed in ["", "1234", "1234-567", "1234-56789", "1234-567x", "１２３４５６７８"] {
            assert_eq!(Code::read(typed), None, "{typed}");
        }
    }
}
