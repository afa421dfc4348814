//! One suite for both databases. SQLite always; PostgreSQL where `VECHE_TEST_POSTGRES` names a server that may make databases.
//!
//! Over 600 lines, and whole: one list of promises, run as one suite on each database.

use super::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use veche_pools::{ChoiceScale, NumberScale, Question, Scale, banning::Rule};

/// Runs a test on every database at hand. Each run gets an empty database of its own.
#[allow(
    clippy::needless_pass_by_value,
    reason = "closures are written in place"
)]
pub(super) fn on_each_database(test: impl AsyncFn(&str)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("t.db").display());
        test(&url).await;
        match std::env::var("VECHE_TEST_POSTGRES") {
            Ok(server) => {
                let (name, url) = fresh_postgres(&server).await;
                test(&url).await;
                drop_postgres(&server, &name).await;
            }
            Err(_) => {
                assert!(
                    std::env::var_os("VECHE_TEST_ALL").is_none(),
                    "VECHE_TEST_POSTGRES does not name a server: tests/run starts one"
                );
                eprintln!("SKIPPED on PostgreSQL: VECHE_TEST_POSTGRES does not name a server");
            }
        }
    });
}

async fn fresh_postgres(server: &str) -> (String, String) {
    sqlx::any::install_default_drivers();
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).unwrap();
    let name = format!("veche_test_{}", hex(&bytes));
    let pool = sqlx::AnyPool::connect(server).await.unwrap();
    db::sql(format!("CREATE DATABASE {name}"))
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let (base, _) = server.rsplit_once('/').unwrap();
    (name.clone(), format!("{base}/{name}"))
}

async fn drop_postgres(server: &str, name: &str) {
    let pool = sqlx::AnyPool::connect(server).await.unwrap();
    db::sql(format!("DROP DATABASE {name} WITH (FORCE)"))
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
}

pub(super) fn questions() -> Vec<Question> {
    vec![
        Question {
            name: "age".into(),
            prompt: "How old?".into(),
            scale: Scale::Number(NumberScale {
                min: 0.0,
                max: 120.0,
                unit: "years".into(),
                integer: true,
            }),
        },
        Question {
            name: "sex".into(),
            prompt: "Which?".into(),
            scale: Scale::Choice(ChoiceScale {
                labels: vec!["female".into(), "male".into()],
            }),
        },
    ]
}

pub(super) fn settings() -> PoolSettings {
    PoolSettings {
        questions: questions(),
        real: 6,
        min_real: 1,
        control: 1,
        practice: 0,
        exam: 0,
        exam_limit: None,
        lifetime_ms: 60_000,
        auto_accept: true,
        rules: Vec::new(),
        reopen: true,
        target_error: None,
        min_votes: 0,
        api: None,
    }
}

/// A pool with tasks `t0…` that want `overlap` votes each and controls `c0…` of true age 30.
async fn pool(
    store: &Store,
    items: usize,
    controls: usize,
    overlap: i64,
    settings: PoolSettings,
) -> i64 {
    let id = |reply| match reply {
        Reply::Id(id) => id,
        other => panic!("{other:?}"),
    };
    let document = json!({});
    let command = Command::CreateProject {
        document: document.clone(),
        now: 0,
    };
    let project = id(store.carry_out(command).await.unwrap());
    let command = Command::CreatePool {
        project,
        status: "OPEN".into(),
        settings,
        document,
        now: 0,
    };
    let pool = id(store.carry_out(command).await.unwrap());
    let mut tasks: Vec<NewTask> = (0..items)
        .map(|i| NewTask {
            name: format!("t{i}"),
            kind: Kind::Real,
            wanted: overlap,
            stratum: 0,
            content: json!({ "task": format!("t{i}") }),
            known: None,
        })
        .collect();
    tasks.extend((0..controls).map(|i| NewTask {
        name: format!("c{i}"),
        kind: Kind::Control,
        wanted: 0,
        stratum: 0,
        content: json!({ "task": format!("c{i}") }),
        known: Some(json!([{"output_values": {"age": 30, "sex": "male"}}])),
    }));
    let command = Command::AddTasks {
        pool,
        tasks: Arc::new(tasks),
        now: 0,
    };
    store.carry_out(command).await.unwrap();
    pool
}

pub(super) async fn annotator(store: &Store, name: &str) -> i64 {
    let command = Command::SignUp {
        name: name.into(),
        token_hash: format!("hash of {name}"),
        invitation: None,
        now: 0,
    };
    let id = match store.carry_out(command).await.unwrap() {
        Reply::Id(id) => id,
        other => panic!("{other:?}"),
    };
    let command = Command::SetStage {
        annotator: id,
        stage: "work".into(),
        now: 0,
    };
    store.carry_out(command).await.unwrap();
    id
}

pub(super) async fn next(
    store: &Store,
    annotator: i64,
    pool: i64,
    now: i64,
) -> Result<Option<Assigned>, StoreError> {
    match store
        .carry_out(Command::Next {
            annotator,
            pool,
            now,
        })
        .await?
    {
        Reply::Suite(suite) => Ok(suite),
        other => panic!("{other:?}"),
    }
}

pub(super) fn answered(suite: &Assigned, token: &str, age: i64) -> Submission {
    Submission {
        assignment: suite.name.clone(),
        token: token.into(),
        answers: suite
            .tasks
            .iter()
            .map(|_| GivenAnswer {
                output: json!({"age": age, "sex": "male"}),
                ..GivenAnswer::default()
            })
            .collect(),
    }
}

async fn submit(
    store: &Store,
    annotator: i64,
    submission: Submission,
    now: i64,
) -> Result<Submitted, StoreError> {
    match store
        .carry_out(Command::Submit {
            annotator,
            submission,
            now,
        })
        .await?
    {
        Reply::Submitted(submitted) => Ok(submitted),
        other => panic!("{other:?}"),
    }
}

fn shown(suite: &Assigned) -> Vec<String> {
    suite
        .tasks
        .iter()
        .map(|t| t.content["task"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_campaign_ends_with_exactly_the_votes_it_wants_and_nobody_meets_an_item_twice() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let pool = pool(&store, 20, 5, 3, settings()).await;
        let mut met: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        let mut annotators = Vec::new();
        for i in 0..5 {
            annotators.push(annotator(&store, &format!("a{i}")).await);
        }
        loop {
            let mut idle = true;
            for &who in &annotators {
                let Some(suite) = next(&store, who, pool, 10).await.unwrap() else {
                    continue;
                };
                idle = false;
                let names = shown(&suite);
                assert_eq!(
                    names.iter().filter(|n| n.starts_with('c')).count(),
                    1,
                    "{names:?}"
                );
                for name in names.into_iter().filter(|n| n.starts_with('t')) {
                    assert!(
                        met.entry(who).or_default().insert(name),
                        "an item came twice"
                    );
                }
                let taken = submit(&store, who, answered(&suite, "x", 30), 20)
                    .await
                    .unwrap();
                assert!(matches!(
                    taken,
                    Submitted::Taken {
                        repeated: false,
                        banned: false,
                        ..
                    }
                ));
            }
            if idle {
                break;
            }
        }
        let progress = store.progress(pool).await.unwrap();
        assert_eq!(
            (progress.wanted, progress.accepted, progress.active),
            (60, 60, 0)
        );
        let answers = store.answers(pool, 0, 1000).await.unwrap();
        assert_eq!(
            answers.iter().filter(|a| a.task.starts_with('t')).count(),
            60
        );
        assert_eq!(answers[0].output, json!({"age": 30, "sex": "male"}));
    });
}

#[test]
fn asking_again_gives_the_same_suite_and_submitting_again_changes_nothing() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let pool = pool(&store, 12, 2, 1, settings()).await;
        let who = annotator(&store, "a").await;
        let first = next(&store, who, pool, 10).await.unwrap().unwrap();
        assert_eq!(next(&store, who, pool, 20).await.unwrap().unwrap(), first);
        let submission = answered(&first, "token", 31);
        let once = submit(&store, who, submission.clone(), 30).await.unwrap();
        assert!(matches!(
            once,
            Submitted::Taken {
                repeated: false,
                ..
            }
        ));
        let twice = submit(&store, who, submission.clone(), 40).await.unwrap();
        assert!(matches!(twice, Submitted::Taken { repeated: true, .. }));
        let other = Submission {
            token: "another".into(),
            ..submission
        };
        assert!(
            submit(&store, who, other, 50).await.is_err(),
            "another submission of a suite that is done"
        );
        assert_eq!(store.progress(pool).await.unwrap().accepted, 6);
        assert_eq!(store.answers(pool, 0, 10).await.unwrap().len(), 7);
    });
}

#[test]
fn a_suite_that_is_late_goes_to_somebody_else_and_its_answers_are_not_taken() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let pool = pool(&store, 6, 1, 1, settings()).await;
        let (slow, quick) = (
            annotator(&store, "slow").await,
            annotator(&store, "quick").await,
        );
        let late = next(&store, slow, pool, 0).await.unwrap().unwrap();
        assert_eq!(next(&store, quick, pool, 59_999).await.unwrap(), None);
        assert_eq!(
            submit(&store, slow, answered(&late, "x", 30), 60_000)
                .await
                .unwrap(),
            Submitted::Late
        );
        let taken = next(&store, quick, pool, 60_001).await.unwrap().unwrap();
        assert_eq!(taken.tasks.len(), 7);
        assert_eq!(
            submit(&store, slow, answered(&late, "x", 30), 60_002)
                .await
                .unwrap(),
            Submitted::Late
        );
        assert_eq!(
            store
                .carry_out(Command::Expire { now: 200_000 })
                .await
                .unwrap(),
            Reply::Count(1)
        );
        assert_eq!(store.progress(pool).await.unwrap().active, 0);
    });
}

#[test]
fn answers_off_the_scale_are_refused_with_their_place_and_nothing_is_stored() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let pool = pool(&store, 6, 1, 1, settings()).await;
        let who = annotator(&store, "a").await;
        let suite = next(&store, who, pool, 0).await.unwrap().unwrap();
        let mut submission = answered(&suite, "x", 30);
        submission.answers[2].output = json!({"age": 300, "sex": "male"});
        submission.answers[4].output = json!({"age": 30});
        let StoreError::Invalid(problems) = submit(&store, who, submission, 1).await.unwrap_err()
        else {
            panic!("refused for another reason")
        };
        assert_eq!(
            problems.keys().collect::<Vec<_>>(),
            ["answers.2.age", "answers.4.sex"]
        );
        assert!(store.answers(pool, 0, 10).await.unwrap().is_empty());
        let stranger = annotator(&store, "b").await;
        let theirs = submit(&store, stranger, answered(&suite, "x", 30), 1).await;
        assert!(
            matches!(theirs, Err(StoreError::NotFound { .. })),
            "a suite of somebody else"
        );
    });
}

#[test]
fn a_rule_bans_in_the_same_transaction_and_the_votes_are_asked_of_others() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let rules = vec![Rule::MaeAbove {
            question: None,
            threshold: 20.0,
            min_controls: 2,
        }];
        let pool = pool(
            &store,
            60,
            10,
            1,
            PoolSettings {
                rules,
                ..settings()
            },
        )
        .await;
        let bot = annotator(&store, "bot").await;
        let mut outcome = Vec::new();
        for turn in 0..2 {
            let suite = next(&store, bot, pool, turn).await.unwrap().unwrap();
            outcome.push(
                submit(&store, bot, answered(&suite, "x", 99), turn)
                    .await
                    .unwrap(),
            );
        }
        assert!(matches!(outcome[0], Submitted::Taken { banned: false, .. }));
        assert!(matches!(outcome[1], Submitted::Taken { banned: true, .. }));
        let progress = store.progress(pool).await.unwrap();
        assert_eq!(
            (progress.accepted, progress.active),
            (0, 0),
            "its votes no longer count"
        );
        assert_eq!(
            store.answers(pool, 0, 10).await.unwrap().len(),
            14,
            "and none was deleted"
        );
        let refused = next(&store, bot, pool, 9).await.unwrap_err();
        assert!(matches!(
            refused,
            StoreError::Conflict { code: "BARRED", .. }
        ));
        let restriction = restrictions(&store).await;
        assert_eq!(restriction.len(), 1);
        store
            .carry_out(Command::Lift {
                restriction: restriction[0],
                now: 10,
            })
            .await
            .unwrap();
        let suite = next(&store, bot, pool, 11).await.unwrap().unwrap();
        let after = submit(&store, bot, answered(&suite, "x", 99), 12)
            .await
            .unwrap();
        assert!(
            matches!(after, Submitted::Taken { banned: false, .. }),
            "lifted by hand: rules are silent"
        );
    });
}

async fn restrictions(store: &Store) -> Vec<i64> {
    use sqlx::Row;
    let rows = db::sql("SELECT id FROM restriction ORDER BY id")
        .fetch_all(&store.database.pool)
        .await
        .unwrap();
    rows.iter().map(|row| row.try_get(0).unwrap()).collect()
}

#[test]
fn many_at_once_never_exceed_the_overlap() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let pool = pool(&store, 90, 10, 4, settings()).await;
        let mut at_work = tokio::task::JoinSet::new();
        for i in 0..16 {
            let who = annotator(&store, &format!("a{i}")).await;
            let store = store.clone();
            at_work.spawn(async move {
                let mut n = 0;
                while let Some(suite) = next(&store, who, pool, 5).await.unwrap() {
                    submit(&store, who, answered(&suite, "x", 30), 6)
                        .await
                        .unwrap();
                    n += 1;
                }
                n
            });
        }
        while let Some(done) = at_work.join_next().await {
            done.unwrap();
        }
        let progress = store.progress(pool).await.unwrap();
        assert_eq!((progress.accepted, progress.active), (360, 0));
        let answers = store.answers(pool, 0, 10_000).await.unwrap();
        let mut votes: BTreeMap<String, usize> = BTreeMap::new();
        for answer in answers.into_iter().filter(|a| a.task.starts_with('t')) {
            *votes.entry(answer.task).or_default() += 1;
        }
        assert!(votes.values().all(|&n| n == 4) && votes.len() == 90);
    });
}

#[test]
fn two_servers_on_one_database_keep_every_promise() {
    on_each_database(async |url| {
        let (one, two) = (
            Store::open(url).await.unwrap(),
            Store::open(url).await.unwrap(),
        );
        let pool = pool(&one, 60, 6, 3, settings()).await;
        let mut at_work = tokio::task::JoinSet::new();
        for i in 0..8 {
            let who = annotator(&one, &format!("a{i}")).await;
            let (one, two) = (one.clone(), two.clone());
            at_work.spawn(async move {
                // Each turn at the other server.
                for turn in 0.. {
                    let (here, there) = if turn % 2 == 0 {
                        (&one, &two)
                    } else {
                        (&two, &one)
                    };
                    let Some(suite) = next(here, who, pool, 5).await.unwrap() else {
                        return;
                    };
                    submit(there, who, answered(&suite, "x", 30), 6)
                        .await
                        .unwrap();
                }
            });
        }
        while let Some(done) = at_work.join_next().await {
            done.unwrap();
        }
        let progress = one.progress(pool).await.unwrap();
        assert_eq!((progress.accepted, progress.active), (180, 0));
        let uses = controls_of(&one, pool).await;
        assert!(
            uses.iter().max().unwrap() - uses.iter().min().unwrap() <= 2,
            "{uses:?}"
        );
    });
}

async fn controls_of(store: &Store, pool: i64) -> Vec<i64> {
    use sqlx::Row;
    let rows = db::sql("SELECT held FROM task WHERE pool = $1 AND kind = 1")
        .bind(pool)
        .fetch_all(&store.database.pool)
        .await
        .unwrap();
    rows.iter().map(|row| row.try_get(0).unwrap()).collect()
}

#[test]
fn an_item_that_is_certain_wants_no_more_votes() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let settings = PoolSettings {
            target_error: Some(1.0),
            min_votes: 3,
            ..settings()
        };
        let pool = pool(&store, 6, 3, 10, settings).await;
        for i in 0..3 {
            let who = annotator(&store, &format!("a{i}")).await;
            let suite = next(&store, who, pool, 0).await.unwrap().unwrap();
            // All agree: standard error 0 after three.
            submit(&store, who, answered(&suite, "x", 30), 1)
                .await
                .unwrap();
        }
        let late = annotator(&store, "late").await;
        assert_eq!(next(&store, late, pool, 2).await.unwrap(), None);
        assert_eq!(store.progress(pool).await.unwrap().wanted, 18);
    });
}

#[test]
fn an_erased_annotator_leaves_votes_and_no_trace_of_the_person() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let pool = pool(&store, 6, 1, 1, settings()).await;
        let who = annotator(&store, "a").await;
        let profile = Profile {
            birth_year: Some(1990),
            contact: Some("a@b.example".into()),
            ..Profile::default()
        };
        store
            .carry_out(Command::SetProfile {
                annotator: who,
                profile,
                now: 1,
            })
            .await
            .unwrap();
        let suite = next(&store, who, pool, 1).await.unwrap().unwrap();
        submit(&store, who, answered(&suite, "x", 30), 2)
            .await
            .unwrap();
        assert_eq!(
            store.profile(who).await.unwrap().unwrap()["birth_year"],
            Value::from(1990)
        );
        store
            .carry_out(Command::Erase {
                annotator: who,
                now: 3,
            })
            .await
            .unwrap();
        assert_eq!(store.profile(who).await.unwrap(), None);
        assert_eq!(store.annotator_by_token("hash of a").await.unwrap(), None);
        assert_eq!(store.answers(pool, 0, 10).await.unwrap().len(), 7);
    });
}

#[test]
fn an_invitation_is_good_for_as_many_as_it_says() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let command = Command::Invite {
            code: "k".into(),
            uses: 1,
            note: "friends".into(),
            now: 0,
        };
        store.carry_out(command).await.unwrap();
        let sign_up = |name: &str, code: &str| Command::SignUp {
            name: name.into(),
            token_hash: name.into(),
            invitation: Some(code.into()),
            now: 1,
        };
        assert!(store.carry_out(sign_up("a", "k")).await.is_ok());
        assert!(store.carry_out(sign_up("b", "k")).await.is_err());
        assert!(store.carry_out(sign_up("c", "other")).await.is_err());
    });
}

#[test]
fn a_name_taken_twice_refuses_the_whole_addition() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let pool = pool(&store, 3, 1, 1, settings()).await;
        let task = |name: &str| NewTask {
            name: name.into(),
            kind: Kind::Real,
            wanted: 1,
            stratum: 0,
            content: json!({}),
            known: None,
        };
        let tasks = Arc::new(vec![task("new"), task("t1")]);
        let refused = store
            .carry_out(Command::AddTasks {
                pool,
                tasks,
                now: 1,
            })
            .await;
        assert!(matches!(
            refused,
            Err(StoreError::Conflict {
                code: "TASK_EXISTS",
                ..
            })
        ));
        assert_eq!(store.progress(pool).await.unwrap().tasks, 3);
    });
}

#[test]
fn what_was_acknowledged_is_there_when_the_database_is_opened_again() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let pool = pool(&store, 6, 1, 1, settings()).await;
        let who = annotator(&store, "a").await;
        let suite = next(&store, who, pool, 1).await.unwrap().unwrap();
        store.close().await;
        let store = Store::open(url).await.unwrap();
        assert_eq!(next(&store, who, pool, 2).await.unwrap().unwrap(), suite);
        submit(&store, who, answered(&suite, "x", 30), 3)
            .await
            .unwrap();
        let store = Store::open(url).await.unwrap();
        let again = submit(&store, who, answered(&suite, "x", 30), 4)
            .await
            .unwrap();
        assert!(matches!(again, Submitted::Taken { repeated: true, .. }));
    });
}
