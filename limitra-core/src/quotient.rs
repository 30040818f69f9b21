//! Quotients of products, which nearly always fit into 64 bits: there a division takes a fraction of the time.

/// `dividend / divisor` as a whole number and what is left over; by 1 if the divisor is zero, and at most [`u64::MAX`].
#[inline]
pub(crate) fn with_rest(dividend: u128, divisor: u64) -> (u64, u64) {
    let divisor = divisor.max(1);
    match u64::try_from(dividend) {
        Ok(dividend) => (dividend / divisor, dividend % divisor),
        Err(_) => wide(dividend, u128::from(divisor)),
    }
}

/// The same, rounded down.
#[inline]
pub(crate) fn down(dividend: u128, divisor: u64) -> u64 {
    with_rest(dividend, divisor).0
}

/// The same, rounded up.
#[inline]
pub(crate) fn up(dividend: u128, divisor: u64) -> u64 {
    let (whole, rest) = with_rest(dividend, divisor);
    whole.saturating_add(u64::from(rest > 0))
}

#[cold]
#[inline(never)]
fn wide(dividend: u128, divisor: u128) -> (u64, u64) {
    let [whole, rest] = [dividend / divisor, dividend % divisor];
    (u64::try_from(whole).unwrap_or(u64::MAX), u64::try_from(rest).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotient_is_alike_on_both_sides_of_64_bits() {
        let most = u128::from(u64::MAX);
        for dividend in [0, 1, 6, 7, 8, most - 1, most, most + 1, most * 7 - 1, most * 7] {
            for divisor in [1, 2, 7, 10, u64::MAX] {
                let (wide, by) = (dividend / u128::from(divisor), u128::from(divisor));
                let expected = u64::try_from(wide).unwrap_or(u64::MAX);
                assert_eq!(down(dividend, divisor), expected, "{dividend} / {divisor}");
                let expected = u64::try_from(dividend.div_ceil(by)).unwrap_or(u64::MAX);
                assert_eq!(up(dividend, divisor), expected, "{dividend} / {divisor}");
                assert_eq!(u128::from(with_rest(dividend, divisor).1), dividend % by);
            }
        }
        assert_eq!((down(5, 0), up(5, 0)), (5, 5));
    }
}
