//! From numbers to places on paper, and the round numbers that stand on an axis.

/// A linear scale from data to coordinates. Both ends are finite and the data's ends differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// Puts `from` at `start` and `to` at `end`. Equal ends are moved apart by one unit, so that one value has a place.
    pub(crate) fn new(from: f64, to: f64, start: f64, end: f64) -> Self {
        let (from, to) = match (from.is_finite(), to.is_finite()) {
            (true, true) if from != to => (from, to),
            (true, _) => (from - 0.5, from + 0.5),
            _ => (0.0, 1.0),
        };
        Self {
            from,
            to,
            start,
            end,
        }
    }

    /// The coordinate of a value.
    pub(crate) fn at(&self, value: f64) -> f64 {
        // Divided first: the difference of two huge values times a width may overflow.
        self.start + (value - self.from) / (self.to - self.from) * (self.end - self.start)
    }

    /// The coordinate of a value, held inside the scale.
    pub(crate) fn inside(&self, value: f64) -> f64 {
        self.at(value)
            .clamp(self.start.min(self.end), self.start.max(self.end))
    }

    /// Whether a value lies on the scale.
    pub(crate) fn holds(&self, value: f64) -> bool {
        value >= self.from.min(self.to) && value <= self.from.max(self.to)
    }

    /// The coordinates of both ends.
    pub(crate) fn ends(&self) -> (f64, f64) {
        (self.start, self.end)
    }
}

/// Round numbers on an axis and the decimals they need.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ticks {
    /// Multiples of 1, 2 or 5 times a power of ten, ascending.
    pub(crate) at: Vec<f64>,
    /// Decimals that tell neighbours apart.
    pub(crate) decimals: usize,
    /// Their distance.
    pub(crate) step: f64,
}

/// Ticks within `from..=to`, about `wanted` of them and at most `wanted + 1`, or one if the ends are equal or not finite.
pub(crate) fn ticks(from: f64, to: f64, wanted: usize) -> Ticks {
    let none = |value: f64| Ticks {
        at: vec![if value.is_finite() { value } else { 0.0 }],
        decimals: 0,
        step: 1.0,
    };
    let span = to - from;
    if !span.is_finite() || span <= 0.0 {
        return none(from);
    }
    let rough = span / wanted.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|m| m * power)
        .into_iter()
        .find(|step| *step >= rough * 0.999_999)
        .unwrap_or(10.0 * power);
    if step <= 0.0 || !step.is_finite() || from.abs().max(to.abs()) / step > 1e12 {
        return none(from); // too fine to be told apart in 64 bits
    }
    let slack = step * 1e-9;
    let first = ((from - slack) / step).ceil();
    let last = ((to + slack) / step).floor();
    let n = (last - first).max(-1.0) as i64;
    let at = (0..=n).map(|i| (first + i as f64) * step).collect();
    let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    Ticks { at, decimals, step }
}

/// Ticks for counts: whole numbers from 0 to at least `largest`.
pub(crate) fn count_ticks(largest: f64, wanted: usize) -> Ticks {
    let largest = if largest.is_finite() {
        largest.max(1.0)
    } else {
        1.0
    };
    let mut found = ticks(0.0, largest, wanted);
    if found.step < 1.0 {
        found = Ticks {
            at: (0..=largest.ceil() as u64).map(|v| v as f64).collect(),
            decimals: 0,
            step: 1.0,
        };
    }
    let last = found.at.last().copied().unwrap_or(0.0);
    if last < largest {
        found.at.push(last + found.step);
    }
    found
}

/// A bin width of 1, 2 or 5 times a power of ten that cuts `from..to` into about `wanted` bins.
pub(crate) fn nice_width(from: f64, to: f64, wanted: usize) -> f64 {
    let found = ticks(from, to, wanted.max(1));
    if found.at.len() < 2 { 1.0 } else { found.step }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_are_round_and_lie_inside() {
        assert_eq!(
            ticks(0.0, 100.0, 5).at,
            [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
        );
        assert_eq!(ticks(4.54, 7.22, 6).at, [5.0, 5.5, 6.0, 6.5, 7.0]);
        assert_eq!(ticks(4.54, 7.22, 6).decimals, 1);
        assert_eq!(ticks(3.0, 3.0, 5).at, [3.0]);
        assert_eq!(ticks(f64::NAN, 1.0, 5).at, [0.0]);
    }

    #[test]
    fn counts_have_whole_ticks_that_reach_the_top() {
        assert_eq!(count_ticks(1.0, 4).at, [0.0, 1.0]);
        assert_eq!(count_ticks(3.0, 4).at, [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(count_ticks(17.0, 4).at, [0.0, 5.0, 10.0, 15.0, 20.0]);
        assert_eq!(count_ticks(f64::NAN, 4).at, [0.0, 1.0]);
    }

    #[test]
    fn one_value_has_a_place() {
        assert_eq!(Scale::new(5.0, 5.0, 0.0, 10.0).at(5.0), 5.0);
        assert!(Scale::new(f64::NAN, 5.0, 0.0, 10.0).at(0.5).is_finite());
    }

    proptest! {
        #[test]
        fn ticks_ascend_stay_inside_and_are_few(from in -1e9..1e9f64, span in 1e-3..1e9f64, wanted in 1usize..12) {
            let found = ticks(from, from + span, wanted);
            prop_assert!(found.at.len() <= wanted + 1);
            prop_assert!(found.at.windows(2).all(|w| w[0] < w[1]));
            let slack = span * 1e-6;
            prop_assert!(found.at.iter().all(|t| *t >= from - slack && *t <= from + span + slack));
        }
    }
}
