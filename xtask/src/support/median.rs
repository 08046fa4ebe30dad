//! The median, for repeated measurements.

/// The median; of an even number of figures the upper one of the two.
///
/// # Panics
/// Without figures, and when some have no order.
pub(crate) fn median<T: PartialOrd + Copy>(figures: &[T]) -> T {
    let mut figures = figures.to_vec();
    figures.sort_by(|one, other| {
        one.partial_cmp(other)
            .expect("times and rates have an order")
    });
    figures[figures.len() / 2]
}
