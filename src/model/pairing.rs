//! Which face belongs to which body.

use veche_pools::PixelBox;

/// Faces and bodies of one photo put together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pairing {
    /// For each face the index of its body.
    pub person_of_face: Vec<Option<usize>>,
    /// Bodies without a face, rising.
    pub persons_without_face: Vec<usize>,
}

/// At or below this a face and a body have nothing to do with each other.
const LEAST: f32 = 0.0001;

/// Puts faces to bodies so that the sum over pairs of the mean of intersection over union and the share of the face that lies in
/// the body is largest (Kuprashevich and Tolstykh 2023). Every face has at most one body and every body one face; pairs that do not
/// overlap are none. Edges lose their fractions first. Where several ways are equally good, lower indices are put together.
pub fn pair(persons: &[PixelBox], faces: &[PixelBox]) -> Pairing {
    let mut pairing = Pairing {
        person_of_face: vec![None; faces.len()],
        persons_without_face: Vec::new(),
    };
    let mut free = vec![true; persons.len()];
    let scores: Vec<Vec<f64>> = persons
        .iter()
        .map(|p| faces.iter().map(|f| f64::from(likeness(*p, *f))).collect())
        .collect();
    for (person, face) in largest_assignment(&scores) {
        if scores[person][face] > f64::from(LEAST) {
            pairing.person_of_face[face] = Some(person);
            free[person] = false;
        }
    }
    pairing.persons_without_face = (0..persons.len()).filter(|&p| free[p]).collect();
    pairing
}

/// In single precision, as the authors' program computes it: which pair is better may hang on the last bit.
fn likeness(person: PixelBox, face: PixelBox) -> f32 {
    let edges = |b: PixelBox| [b.x0, b.y0, b.x1, b.y1].map(|edge| i64::from(edge as i32));
    let (p, f) = (edges(person), edges(face));
    let area = |[x0, y0, x1, y1]: [i64; 4]| (x1 - x0).max(0) * (y1 - y0).max(0);
    let shared = area([
        p[0].max(f[0]),
        p[1].max(f[1]),
        p[2].min(f[2]),
        p[3].min(f[3]),
    ]);
    let (of_face, union) = (area(f), area(p) + area(f) - shared);
    if of_face == 0 || union == 0 {
        return 0.0;
    }
    (shared as f32 / of_face as f32 + shared as f32 / union as f32) / 2.0
}

/// Pairs (row, column) with the largest sum of scores, as many as the shorter side has; rows rising. All rows must be equally long.
///
/// Shortest augmenting paths with dual prices (Crouse 2016), O(n³). A matrix of equal numbers gives the diagonal.
pub fn largest_assignment(scores: &[Vec<f64>]) -> Vec<(usize, usize)> {
    let (rows, columns) = (scores.len(), scores.first().map_or(0, Vec::len));
    if rows > columns {
        // The search goes from rows to columns and needs a column for each.
        let turned: Vec<Vec<f64>> = (0..columns)
            .map(|c| scores.iter().map(|row| row[c]).collect())
            .collect();
        let mut pairs: Vec<(usize, usize)> = largest_assignment(&turned)
            .into_iter()
            .map(|(c, r)| (r, c))
            .collect();
        pairs.sort_unstable();
        return pairs;
    }
    let mut row_price = vec![0.0; rows];
    let mut column_price = vec![0.0; columns];
    let mut row_of: Vec<Option<usize>> = vec![None; columns];
    let mut column_of: Vec<Option<usize>> = vec![None; rows];
    for start in 0..rows {
        let mut cost = vec![f64::INFINITY; columns];
        let mut came_from = vec![0; columns];
        let mut open: Vec<usize> = (0..columns).collect();
        let mut seen_rows = vec![start];
        let (mut row, mut reached) = (start, 0.0);
        let end = loop {
            for &c in &open {
                let along = reached - scores[row][c] - row_price[row] - column_price[c];
                if along < cost[c] {
                    (cost[c], came_from[c]) = (along, row);
                }
            }
            // Among equals a column that nobody has ends the search, the lowest first.
            let nearest = open.iter().copied().reduce(|best, c| {
                let better = cost[c] < cost[best]
                    || (cost[c] == cost[best] && row_of[c].is_none() && row_of[best].is_some());
                if better { c } else { best }
            });
            // There are at least as many columns as rows, so one is free and open.
            let Some(nearest) = nearest else {
                return Vec::new();
            };
            reached = cost[nearest];
            open.retain(|&c| c != nearest);
            match row_of[nearest] {
                None => break nearest,
                Some(taken_by) => {
                    row = taken_by;
                    seen_rows.push(row);
                }
            }
        };
        for &r in &seen_rows {
            row_price[r] += reached - column_of[r].map_or(0.0, |c| cost[c]);
        }
        for c in (0..columns).filter(|c| !open.contains(c)) {
            column_price[c] -= reached - cost[c];
        }
        let mut column = end;
        loop {
            let row = came_from[column];
            row_of[column] = Some(row);
            match column_of[row].replace(column) {
                Some(before) if row != start => column = before,
                _ => break,
            }
        }
    }
    (0..rows)
        .filter_map(|r| column_of[r].map(|c| (r, c)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn boxes(edges: &[[f64; 4]]) -> Vec<PixelBox> {
        edges
            .iter()
            .map(|&[a, b, c, d]| PixelBox::new(a, b, c, d).unwrap())
            .collect()
    }

    #[test]
    fn a_face_goes_to_the_body_it_lies_in() {
        let persons = boxes(&[[0., 0., 100., 300.], [80., 0., 200., 300.]]);
        let faces = boxes(&[
            [120., 10., 160., 60.],
            [30., 10., 70., 60.],
            [400., 0., 440., 50.],
        ]);
        let pairing = pair(&persons, &faces);
        assert_eq!(pairing.person_of_face, [Some(1), Some(0), None]);
        assert_eq!(pairing.persons_without_face, [] as [usize; 0]);
        // By hand: the first face has 2,000 pixels, all of them in the second body of 36,000.
        let expected = (1.0 + 2000.0 / 36_000.0) / 2.0;
        assert!((likeness(persons[1], faces[0]) - expected).abs() < 1e-6);
    }

    #[test]
    fn two_faces_in_one_body_leave_one_without() {
        let persons = boxes(&[[0., 0., 100., 300.]]);
        let faces = boxes(&[[90., 0., 130., 50.], [30., 10., 70., 60.]]);
        assert_eq!(pair(&persons, &faces).person_of_face, [None, Some(0)]);
        assert_eq!(pair(&persons, &[]).persons_without_face, [0]);
        assert_eq!(pair(&[], &faces).person_of_face, [None, None]);
        assert_eq!(pair(&[], &[]), Pairing::default());
    }

    #[test]
    fn fractions_of_pixels_do_not_count() {
        let persons = boxes(&[[0., 0., 100.9, 300.]]);
        let faces = boxes(&[[100.2, 0., 130., 50.]]);
        assert_eq!(pair(&persons, &faces).person_of_face, [None]);
    }

    #[test]
    fn equal_scores_give_the_diagonal() {
        let equal = vec![vec![0.5; 4]; 3];
        assert_eq!(largest_assignment(&equal), [(0, 0), (1, 1), (2, 2)]);
        let tall = vec![vec![0.5; 2]; 3];
        assert_eq!(largest_assignment(&tall), [(0, 0), (1, 1)]);
        assert!(largest_assignment(&[]).is_empty());
        assert!(largest_assignment(&[vec![], vec![]]).is_empty());
    }

    /// The largest sum by trying every way.
    fn brute(scores: &[Vec<f64>], row: usize, taken: &mut Vec<bool>, skips: usize) -> f64 {
        if row == scores.len() {
            return 0.0;
        }
        let mut best = f64::NEG_INFINITY;
        if skips > 0 {
            best = brute(scores, row + 1, taken, skips - 1);
        }
        for c in 0..taken.len() {
            if !taken[c] {
                taken[c] = true;
                best = best.max(scores[row][c] + brute(scores, row + 1, taken, skips));
                taken[c] = false;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_other_assignment_has_a_larger_sum(
            (rows, columns, values) in (1_usize..6, 1_usize..6).prop_flat_map(|(r, c)| {
                (Just(r), Just(c), proptest::collection::vec(0_u8..20, r * c))
            })
        ) {
            let scores: Vec<Vec<f64>> = values
                .chunks(columns)
                .map(|row| row.iter().map(|&v| f64::from(v) / 20.0).collect())
                .collect();
            let pairs = largest_assignment(&scores);
            prop_assert_eq!(pairs.len(), rows.min(columns));
            let mut used: Vec<usize> = pairs.iter().map(|p| p.1).collect();
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used.len(), pairs.len());
            prop_assert!(pairs.is_sorted());
            let sum: f64 = pairs.iter().map(|&(r, c)| scores[r][c]).sum();
            let best = brute(&scores, 0, &mut vec![false; columns], rows.saturating_sub(columns));
            prop_assert!((sum - best).abs() < 1e-9, "{sum} instead of {best}");
        }
    }
}
