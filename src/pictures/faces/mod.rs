//! Drawn portraits for the demo: a friendly face whose age shows in what ages in people.
//!
//! Proportions: a child's head is large and round with eyes below its middle, nose and chin short (the "cardioidal
//! strain" of Pittenger and Shaw 1975); ears and nose lengthen and lips thin through life. Skin: lines of forehead,
//! eye corners, from nose to mouth, bags under the eyes, sagging jaw. Hair: greying, thinning, receding in men. Each sign
//! has its own clock that is a little off, so that the age can be guessed and not known.

mod brush;
mod features;
mod hair;
mod head;
mod look;
mod wrinkles;

use brush::Canvas;
use image::RgbImage;
use look::Look;

/// A portrait of `size` by `size` pixels of somebody aged `truth_age` years (0 to 110; values beyond are clamped).
///
/// The seed decides on the person: skin, hair colour, eyes, clothes, background and how far each sign of age runs before
/// or behind the calendar; none of the colours depends on age or sex. Same arguments, same pixels. An empty picture for
/// `size` 0.
pub fn draw_face(truth_age: f64, female: bool, seed: u64, size: u32) -> RgbImage {
    let look = Look::new(truth_age, female, seed);
    let Some(mut canvas) = Canvas::new(size, look.ground) else {
        return RgbImage::new(size, size);
    };
    head::ground(&mut canvas, &look);
    hair::behind(&mut canvas, &look);
    head::body(&mut canvas, &look);
    head::skull(&mut canvas, &look);
    wrinkles::under(&mut canvas, &look);
    features::eyes(&mut canvas, &look);
    features::nose(&mut canvas, &look);
    wrinkles::over(&mut canvas, &look);
    hair::beard(&mut canvas, &look);
    features::mouth(&mut canvas, &look);
    hair::front(&mut canvas, &look);
    features::brows(&mut canvas, &look);
    features::glasses(&mut canvas, &look);
    canvas.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean absolute difference of two pictures, grey levels.
    fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
        let sum: u64 = a
            .iter()
            .zip(b.iter())
            .map(|(x, y)| u64::from(x.abs_diff(*y)))
            .sum();
        sum as f64 / a.len() as f64
    }

    #[test]
    fn the_same_person_is_drawn_the_same_twice() {
        assert_eq!(draw_face(33.0, true, 7, 96), draw_face(33.0, true, 7, 96));
    }

    #[test]
    fn persons_ages_and_sexes_look_different() {
        let one = draw_face(33.0, true, 7, 96);
        assert!(difference(&one, &draw_face(33.0, true, 8, 96)) > 4.0);
        assert!(difference(&one, &draw_face(70.0, true, 7, 96)) > 2.0);
        assert!(difference(&one, &draw_face(4.0, true, 7, 96)) > 4.0);
        assert!(difference(&one, &draw_face(33.0, false, 7, 96)) > 2.0);
    }

    #[test]
    fn any_age_size_and_seed_gives_a_picture_of_that_size() {
        for age in [f64::NAN, -5.0, 0.0, 0.5, 17.9, 64.0, 110.0, 1e9] {
            for size in [1, 2, 17, 64] {
                let face = draw_face(age, size % 2 == 0, u64::MAX - size as u64, size);
                assert_eq!(face.dimensions(), (size, size));
            }
        }
        assert_eq!(draw_face(30.0, true, 1, 0).dimensions(), (0, 0));
    }

    #[test]
    fn colours_tell_nothing_about_age_or_sex() {
        for seed in 0..200 {
            let child = Look::new(5.0, true, seed);
            let old = Look::new(80.0, false, seed);
            assert_eq!(child.skin, old.skin);
            assert_eq!(child.iris, old.iris);
            assert_eq!((child.shirt, child.ground), (old.shirt, old.ground));
        }
    }

    #[test]
    fn signs_of_age_follow_the_years_on_average() {
        let mean = |age: f64, of: fn(&Look) -> f32| {
            let sum: f32 = (0..400)
                .map(|seed| of(&Look::new(age, seed % 2 == 0, seed)))
                .sum();
            sum / 400.0
        };
        let ages = [1.0, 4.0, 8.0, 13.0, 20.0, 35.0, 50.0, 65.0, 80.0];
        type Sign = fn(&Look) -> f32;
        let signs: [(Sign, f32); 6] = [
            (|look| look.seems, 1.0),
            (|look| look.grown, 1.0),
            (|look| look.lines, 1.0),
            (|look| look.grey, 1.0),
            (|look| look.ear, 1.0),
            (|look| look.eye_open, -1.0),
        ];
        for (i, (sign, direction)) in signs.into_iter().enumerate() {
            for pair in ages.windows(2) {
                let step = direction * (mean(pair[1], sign) - mean(pair[0], sign));
                assert!(
                    step > -0.02,
                    "sign {i} from {} to {}: {step}",
                    pair[0],
                    pair[1]
                );
            }
            let whole = direction * (mean(80.0, sign) - mean(1.0, sign));
            assert!(whole > 0.2, "sign {i}: {whole}");
        }
    }

    #[test]
    fn the_age_can_be_guessed_but_is_not_known() {
        // How old people seem is off by some years, more in the old, and not to one side.
        for (age, low, high) in [(5.0, 0.3, 1.2), (30.0, 1.5, 3.5), (70.0, 3.5, 7.5)] {
            let errors: Vec<f32> = (0..2000)
                .map(|seed| Look::new(age, true, seed).seems - age as f32)
                .collect();
            let mae = errors.iter().map(|e| e.abs()).sum::<f32>() / 2000.0;
            let bias = errors.iter().sum::<f32>() / 2000.0;
            assert!((low..high).contains(&mae), "{age}: {mae}");
            assert!(bias.abs() < 0.1 * high, "{age}: {bias}");
        }
    }
}
