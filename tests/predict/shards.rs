//! `veche predict --shard`: the parts one after the other are the whole.

use crate::support::Dir;

#[test]
fn predictions_in_parts_one_after_the_other_are_those_in_one_piece() {
    let dir = Dir::new();
    for i in 0..7 {
        dir.photo(&format!("photos/p{i}.png"), i);
    }
    dir.write("photos/p3.png", "no picture");
    let predict = |out: &str, more: &[&str]| {
        let args = [
            "predict", "--items", "photos", "--whole", "face", "--batch", "2", "--out", out,
        ];
        dir.ok(&[&args, more].concat());
        dir.read(out)
    };
    let whole = predict("whole.csv", &[]);
    assert_eq!(whole.lines().count(), 8);
    let mut joined = whole
        .lines()
        .take(1)
        .map(|l| format!("{l}\n"))
        .collect::<String>();
    let mut rows = Vec::new();
    for part in ["1/3", "2/3", "3/3"] {
        let text = predict("part.csv", &["--shard", part]);
        let (_, body) = text.split_once('\n').unwrap();
        rows.push(body.lines().count());
        joined += body;
    }
    assert_eq!(joined, whole);
    assert_eq!(rows, [2, 2, 3]);
}
