use super::super::manifest::TrueAge;
use super::*;
use std::fs;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn read(dataset: Dataset, path: &Path) -> Result<People> {
    read_dataset(
        dataset,
        path,
        &DatasetOptions::default(),
        &mut Skipped::strict(),
    )
}

fn class(low: f64, high: f64) -> Option<TrueAge> {
    Some(TrueAge::Class { low, high })
}

const FAIRFACE: &str = "file,age,gender,race,service_test\nval/1.jpg,3-9,Male,East Asian,False\n\
    val/2.jpg,50-59,Female,Indian,False\nval/3.jpg,more than 70,Male,White,True\n";

#[test]
fn fairface_as_published_has_classes_and_parts() {
    let dir = folder(&[("fairface_label_val.csv", FAIRFACE)]);
    let people = read(Dataset::Fairface, dir.path()).unwrap();
    let rows = &people.manifest.rows;
    assert_eq!(
        rows.iter().map(|r| r.age).collect::<Vec<_>>(),
        [
            class(3.0, 9.0),
            class(50.0, 59.0),
            class(70.0, f64::INFINITY)
        ]
    );
    assert_eq!(
        (rows[1].sex, rows[1].path.as_str()),
        (Some(Sex::Female), "val/2.jpg")
    );
    assert_eq!((people.parts[0].as_str(), people.repaired), ("val", 0));
    assert_eq!(people.manifest.pictures, dir.path());
}

#[test]
fn fairface_saved_by_a_spreadsheet_is_an_error_that_says_so_and_is_repaired_on_request() {
    let damaged = FAIRFACE.replace("3-9", "9-Mar").replace("50-59", "19-Oct");
    let dir = folder(&[("fairface_label_val.csv", &damaged)]);
    let file = dir.path().join("fairface_label_val.csv");
    let p = read(Dataset::Fairface, &file).unwrap_err();
    assert_eq!((p.row, p.value.as_deref()), (Some(2), Some("9-Mar")));
    assert!(p.what.starts_with("2 ages have become dates") && p.hint.unwrap().contains("--repair"));
    let options = DatasetOptions {
        repair: true,
        ..DatasetOptions::default()
    };
    let people = read_dataset(Dataset::Fairface, &file, &options, &mut Skipped::strict()).unwrap();
    let ages: Vec<_> = people.manifest.rows.iter().map(|r| r.age).collect();
    assert_eq!(ages[..2], [class(3.0, 9.0), class(10.0, 19.0)]);
    assert_eq!(people.repaired, 2);
}

const ADIENCE: &str = "user_id\toriginal_image\tface_id\tage\tgender\tx\ty\tdx\tdy\ttilt_ang\tfiducial_yaw_angle\tfiducial_score\n\
    30601258@N03\t10399646885_67c7d20df9_o.jpg\t1\t(25, 32)\tf\t0\t414\t1086\t1383\t-115\t30\t17\n\
    30601258@N03\t10424815813_e94629b1ec_o.jpg\t2\t35\tu\t301\t105\t640\t641\t0\t0\t94\n\
    7153718@N04\t11.jpg\t3\tNone\tm\t1\t2\t3\t4\t0\t0\t1\n";

#[test]
fn adience_names_pictures_by_user_face_and_photo_and_keeps_its_folds() {
    let dir = folder(&[
        ("fold_0_data.txt", ADIENCE),
        ("fold_3_data.txt", &ADIENCE.replace("35", "(38, 48)")),
    ]);
    let people = read(Dataset::Adience, dir.path()).unwrap();
    let rows = &people.manifest.rows;
    assert_eq!(
        rows[0].path,
        "faces/30601258@N03/coarse_tilt_aligned_face.1.10399646885_67c7d20df9_o.jpg"
    );
    assert_eq!(
        (rows[0].age, rows[0].sex),
        (class(25.0, 32.0), Some(Sex::Female))
    );
    assert_eq!(
        (rows[1].age, rows[1].sex),
        (Some(TrueAge::Years(35.0)), None)
    );
    assert_eq!((rows[2].age, rows[2].sex), (None, Some(Sex::Male)));
    assert_eq!(
        (people.parts[2].as_str(), people.parts[3].as_str()),
        ("fold_0", "fold_3")
    );
    let options = DatasetOptions {
        standard_classes: true,
        ..DatasetOptions::default()
    };
    let people = read_dataset(
        Dataset::Adience,
        dir.path(),
        &options,
        &mut Skipped::strict(),
    )
    .unwrap();
    let ages: Vec<_> = people.manifest.rows.iter().map(|r| r.age).collect();
    assert_eq!((ages[1], ages[4]), (class(25.0, 32.0), class(38.0, 43.0)));
    fs::create_dir(dir.path().join("aligned")).unwrap();
    let people = read(Dataset::Adience, dir.path()).unwrap();
    assert!(
        people.manifest.rows[0]
            .path
            .starts_with("aligned/30601258@N03/landmark_aligned_face.1.")
    );
}

#[test]
fn pictures_of_utkface_and_agedb_say_who_they_show() {
    let dir = folder(&[
        ("part1/25_0_2_20170116174525125.jpg", ""),
        ("part1/61_1_20170109150557335.jpg.chip.jpg", ""),
        ("100_1_0_20170112213500903.jpg.chip.jpg", ""),
        ("readme.txt", ""),
    ]);
    let people = read(Dataset::Utkface, dir.path()).unwrap();
    let rows: Vec<_> = people
        .manifest
        .rows
        .iter()
        .map(|r| (r.path.as_str(), r.age, r.sex))
        .collect();
    assert_eq!(
        rows[0],
        (
            "100_1_0_20170112213500903.jpg.chip.jpg",
            Some(TrueAge::Years(100.0)),
            Some(Sex::Female)
        )
    );
    assert_eq!(
        (rows[1].1, rows[1].2),
        (Some(TrueAge::Years(25.0)), Some(Sex::Male))
    );
    assert_eq!(
        (rows[2].1, rows[2].2),
        (Some(TrueAge::Years(61.0)), Some(Sex::Female))
    );

    let dir = folder(&[
        ("AgeDB/12_MariaCallas_35_f.jpg", ""),
        ("AgeDB/9_AlexD_44_x.jpg", ""),
    ]);
    let p = read(Dataset::Agedb, dir.path()).unwrap_err();
    assert_eq!(p.value.as_deref(), Some("9_AlexD_44_x.jpg"));
    let mut skipped = Skipped::lenient();
    let people = read_dataset(
        Dataset::Agedb,
        dir.path(),
        &DatasetOptions::default(),
        &mut skipped,
    )
    .unwrap();
    let row = &people.manifest.rows[0];
    assert_eq!(
        (row.age, row.sex, skipped.rows()),
        (Some(TrueAge::Years(35.0)), Some(Sex::Female), 1)
    );
}

#[test]
fn tables_with_boxes_are_read_as_published_and_as_prepared() {
    let dir = folder(&[
        (
            "imdb.csv",
            "filename,age,gender,x_min,y_min,x_max,y_max,head_roll\n01/a.jpg,35,F,10,20,50,70,0.1\n",
        ),
        (
            "lagenda.csv",
            "img_name,age,gender,face_x0,face_y0,face_x1,face_y1,person_x0,person_y0,person_x1,person_y1\n\
             a.jpg,31,M,1,2,30,40,-1,-1,-1,-1\na.jpg,-1,-1,50,2,80,40,45,0,90,99\n",
        ),
        (
            "utk.csv",
            "img_name,age,gender,face_x0,face_y0,face_x1,face_y1\nx.jpg,8,1,0,0,9,9\n",
        ),
        (
            "ff.csv",
            "img_name,age,gender,face_x0,face_y0,face_x1,face_y1\ntrain/x.jpg,70;120,F,125,125,323,323\n",
        ),
    ]);
    let rows = |dataset, name: &str| read(dataset, &dir.path().join(name)).unwrap().manifest.rows;
    let imdb = rows(Dataset::ImdbClean, "imdb.csv");
    assert_eq!(
        (imdb[0].age, imdb[0].face.unwrap().x1),
        (Some(TrueAge::Years(35.0)), 50.0)
    );
    let lagenda = rows(Dataset::Lagenda, "lagenda.csv");
    assert!(lagenda[0].body.is_none() && lagenda[1].other_person && lagenda[1].body.is_some());
    assert_eq!(rows(Dataset::Utkface, "utk.csv")[0].sex, Some(Sex::Female));
    assert_eq!(rows(Dataset::Fairface, "ff.csv")[0].age, class(70.0, 120.0));
}

#[test]
fn what_is_not_of_the_set_is_a_clear_error() {
    let dir = folder(&[("a.csv", "id,answer\n1,2\n")]);
    assert!(
        read(Dataset::Adience, dir.path())
            .unwrap_err()
            .hint
            .unwrap()
            .contains("fold_0_data.txt")
    );
    assert!(
        read(Dataset::Adience, &dir.path().join("a.csv"))
            .unwrap_err()
            .what
            .contains("user_id")
    );
    assert!(
        read(Dataset::ImdbClean, dir.path())
            .unwrap_err()
            .hint
            .unwrap()
            .contains("CSV")
    );
    assert_eq!(
        read(Dataset::Utkface, dir.path()).unwrap_err().what,
        "no pictures in this folder"
    );
    assert!(read(Dataset::Lagenda, &dir.path().join("none.csv")).is_err());
}
