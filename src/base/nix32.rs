//! Nix's base-32: alphabet without `e o t u`, digits read from the last byte to the first.
//!
//! Reference: the Nix manual, "Nix32 encoding". Encoding then decoding is the identity, and a
//! string with non-zero padding bits is refused, so every value has one spelling.

const ALPHABET: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";

/// Stands for what is no digit.
const NONE: u8 = u8::MAX;

/// The digit that each character stands for: names are read by the ten thousand.
const DIGITS: [u8; 256] = {
    let mut digits = [NONE; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        digits[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};

/// Length in characters of the encoding of `bytes` bytes.
pub const fn encoded_len(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes * 8 - 1) / 5 + 1 }
}

/// Encodes bytes, most significant digit first.
pub fn encode(bytes: &[u8]) -> String {
    let len = encoded_len(bytes.len());
    let mut out = String::with_capacity(len);
    for n in (0..len).rev() {
        let (byte, shift) = (n * 5 / 8, n * 5 % 8);
        let low = u16::from(bytes[byte]) >> shift;
        let high = match bytes.get(byte + 1) {
            Some(next) => u16::from(*next) << (8 - shift),
            None => 0,
        };
        out.push(char::from(ALPHABET[usize::from((low | high) & 0x1f)]));
    }
    out
}

/// Decodes exactly `N` bytes; `None` for a wrong length, a character outside the alphabet, or
/// padding bits that are not zero.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != encoded_len(N) {
        return None;
    }
    let mut out = [0u8; N];
    for (n, c) in text.bytes().rev().enumerate() {
        let digit = match DIGITS[usize::from(c)] {
            NONE => return None,
            digit => u16::from(digit),
        };
        let (byte, shift) = (n * 5 / 8, n * 5 % 8);
        let wide = digit << shift;
        out[byte] |= (wide & 0xff) as u8;
        let carry = (wide >> 8) as u8;
        match out.get_mut(byte + 1) {
            Some(next) => *next |= carry,
            None if carry != 0 => return None,
            None => {}
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_nix_on_a_known_vector() {
        // sha256 of "hello\n", as `nix-hash --type sha256 --to-base32` prints it.
        let hex = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex");
        assert_eq!(encode(&bytes), "00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq");
    }

    #[test]
    fn refuses_other_spellings() {
        assert_eq!(decode::<20>("e0000000000000000000000000000000"), None);
        assert_eq!(decode::<20>("0000"), None);
        assert_eq!(decode::<32>(&"z".repeat(52)), None, "padding bits set");
    }

    proptest! {
        #[test]
        fn round_trips_32(bytes: [u8; 32]) {
            prop_assert_eq!(decode::<32>(&encode(&bytes)), Some(bytes));
        }
        #[test]
        fn round_trips_20(bytes: [u8; 20]) {
            prop_assert_eq!(decode::<20>(&encode(&bytes)), Some(bytes));
        }
    }
}
