//! Quantiles of what was measured.

/// The value that `share` of the ascending values do not exceed.
pub(crate) fn quantile<T: Copy>(ascending: &[T], share: f64) -> Option<T> {
    let rank = (ascending.len() as f64 * share).ceil() as usize;
    ascending.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occur() {
        let values = [1, 2, 3, 4];
        assert_eq!(quantile(&values, 0.5), Some(2));
        assert_eq!(quantile(&values, 0.99), Some(4));
        assert_eq!(quantile(&values, 0.0), Some(1));
        assert_eq!(quantile::<u32>(&[], 0.5), None);
    }
}
