use super::super::labelled::{LabelColumns, read_labelled};
use super::*;
use crate::files::Skipped;

fn labelled(rows: &[String], columns: &LabelColumns) -> Labelled {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("labels.csv");
    let text = format!("item,age,sex,width,photo,race,same\n{}\n", rows.join("\n"));
    std::fs::write(&path, text).unwrap();
    read_labelled(&path, columns, &mut Skipped::strict()).unwrap()
}

fn options(cap: Cap) -> PlanOptions {
    PlanOptions {
        ranges: RangesAsked::Years(5.0),
        cap,
        per_photo: 1,
        seed: 1,
    }
}

fn items(labelled: &Labelled, plan: &Plan) -> Vec<String> {
    let of = |&i: &usize| labelled.item(&labelled.candidates[i]);
    plan.chosen.iter().map(of).collect()
}

#[test]
fn shortages_are_counted_by_sex_and_by_reason() {
    // 20–24: 3 women, 2 men; 25–29: 1 woman, 4 men; cap 3.
    let mut rows = Vec::new();
    for (age, women, men) in [(20, 3, 2), (25, 1, 4)] {
        rows.extend((0..women).map(|i| format!("w{age}{i},{age},F,{i},,,")));
        rows.extend((0..men).map(|i| format!("m{age}{i},{age},M,{i},,,")));
    }
    let labels = labelled(&rows, &LabelColumns::default());
    let found = plan(&labels, &[], &options(Cap::At(3))).unwrap();
    let of = |b: &Block| {
        (
            b.name(),
            b.women,
            b.men,
            b.chosen,
            b.women_missing,
            b.men_missing,
            b.unpaired,
        )
    };
    assert_eq!(of(&found.blocks[0]), ("20–24".into(), 3, 2, 2, 0, 1, 1));
    assert_eq!(of(&found.blocks[1]), ("25–29".into(), 1, 4, 1, 2, 0, 2));
    assert_eq!(
        items(&labels, &found),
        ["m200", "m201", "m250", "w200", "w201", "w250"]
    );
    assert_eq!(
        (found.mean_width, found.short().count()),
        (Some(1.0 / 3.0), 2)
    );
    // Pairs are 2 and 1: half of the ranges can have 2; 4 items are 1 + 1.
    let cap = |cap| plan(&labels, &[], &options(cap)).unwrap().cap;
    assert_eq!(
        [
            cap(Cap::Even),
            cap(Cap::All),
            cap(Cap::ForSize(4)),
            cap(Cap::ForSize(99))
        ],
        [2, 2, 1, 2]
    );
}

#[test]
fn the_order_of_rows_does_not_matter_and_the_seed_does() {
    let mut rows: Vec<String> = (0..200)
        .map(|i| {
            format!(
                "i{i},{},{},,p{},,",
                20 + i % 10,
                ["F", "M"][i / 7 % 2],
                i / 3
            )
        })
        .collect();
    let chosen = |rows: &[String], seed| {
        let labels = labelled(rows, &LabelColumns::default());
        let options = PlanOptions {
            seed,
            ..options(Cap::At(9))
        };
        items(&labels, &plan(&labels, &[], &options).unwrap())
    };
    let first = chosen(&rows, 1);
    assert_eq!(first.len(), 36);
    rows.reverse();
    assert_eq!(first, chosen(&rows, 1));
    assert_ne!(first, chosen(&rows, 2));
}

#[test]
fn copies_leave_the_most_certain_and_photos_give_one() {
    let rows = [
        "a,20,F,3,,,x",
        "b,20,F,1,,,x",
        "c,20,F,2,,,",
        "d,20,M,1,p,,",
        "e,21,M,1,p,,",
        "f,22,M,9,,,",
    ];
    let rows = rows.map(str::to_owned);
    let columns = LabelColumns {
        copies: Some("same".into()),
        ..LabelColumns::default()
    };
    let labels = labelled(&rows, &columns);
    let found = plan(&labels, &[], &options(Cap::All)).unwrap();
    assert_eq!(
        (found.copies, found.shared_photos, found.chosen.len()),
        (1, 1, 4)
    );
    assert!(items(&labels, &found).iter().all(|i| i != "a"));
    // The same by looking: c and b are copies too, so one woman is left.
    let found = plan(&labels, &[vec![1, 2]], &options(Cap::All)).unwrap();
    assert_eq!(found.chosen.len(), 2);
}

#[test]
fn strata_are_balanced_each_and_what_lies_in_no_range_is_counted() {
    let rows: Vec<String> = (0..40)
        .map(|i| {
            format!(
                "i{i},{},{},,,{},",
                20 + 40 * (i % 2),
                ["F", "M"][i / 2 % 2],
                ["A", "B", "B", "B"][i / 4 % 4]
            )
        })
        .collect();
    let columns = LabelColumns {
        strata: vec!["race".into()],
        ..LabelColumns::default()
    };
    let labels = labelled(&rows, &columns);
    let options = PlanOptions {
        ranges: RangesAsked::Edges(vec![18.0, 30.0]),
        ..options(Cap::All)
    };
    let found = plan(&labels, &[], &options).unwrap();
    let names: Vec<_> = found.blocks.iter().map(Block::name).collect();
    assert_eq!(names, ["A · 18–29", "A · 30+", "B · 18–29", "B · 30+"]);
    assert!(
        found
            .blocks
            .iter()
            .all(|b| b.women == b.men && b.chosen == b.women)
    );
    let options = PlanOptions {
        ranges: RangesAsked::Edges(vec![50.0, 70.0]),
        ..options
    };
    assert_eq!(plan(&labels, &[], &options).unwrap().outside, 20);
}
