//! Sizes for people.

/// `512 bytes`, `1.5 KiB`, `7.0 MiB`
pub fn bytes(count: u64) -> String {
    let (mut value, mut unit) = (count as f64, "bytes");
    for larger in ["KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if unit == "bytes" { format!("{count} bytes") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (count, want) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (7 << 20, "7.0 MiB"),
            (3 << 39, "1536.0 GiB"),
        ] {
            assert_eq!(bytes(count), want);
        }
    }
}
