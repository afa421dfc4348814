//! Pools of requesters' programs, on every database at hand.

use super::{
    ApiPool, Batch, BatchSuite, BatchTask, Change, NewOperation, OverlapChange, Restricting,
    quality::{Action, Collector, CollectorKind, Condition, QualityRule, Reach},
    read::{Bound, Search},
};
use crate::store::{
    Assigned, Command, Kind, PoolSettings, Reply, Scope, Store, StoreError, Submitted,
    tests::{annotator, answered, next, on_each_database, settings},
};
use serde_json::{Value, json};

fn id(reply: Reply) -> i64 {
    match reply {
        Reply::Id(id) => id,
        other => panic!("{other:?}"),
    }
}

async fn change(store: &Store, change: Change, now: i64) -> Result<Reply, StoreError> {
    store.carry_out(Command::Toloka { change, now }).await
}

fn operation(id: &str) -> NewOperation {
    NewOperation {
        id: id.into(),
        kind: "TASK.BATCH_CREATE",
        parameters: json!({}),
    }
}

async fn pool(store: &Store, api: ApiPool, more: impl Fn(&mut PoolSettings)) -> i64 {
    let document = json!({});
    let command = Command::CreateProject {
        document: document.clone(),
        now: 0,
    };
    let project = id(store.carry_out(command).await.unwrap());
    let mut settings = settings();
    settings.api = Some(Box::new(api));
    more(&mut settings);
    let command = Command::CreatePool {
        project,
        status: "OPEN".into(),
        settings,
        document,
        now: 0,
    };
    id(store.carry_out(command).await.unwrap())
}

fn task(pool: i64, place: usize, kind: Kind) -> BatchTask {
    BatchTask {
        place,
        mark: Some(place.to_string()),
        pool,
        kind,
        wanted: 2,
        stratum: 0,
        content: json!({ "input": { "n": place } }),
        known: (kind != Kind::Real)
            .then(|| json!([{ "output_values": { "age": 30, "sex": "male" } }])),
        extra: json!({}),
        unavailable: Vec::new(),
    }
}

fn batch(pool: i64, real: usize, controls: usize) -> Batch {
    let kinds =
        std::iter::repeat_n(Kind::Real, real).chain(std::iter::repeat_n(Kind::Control, controls));
    Batch {
        tasks: kinds
            .enumerate()
            .map(|(i, kind)| task(pool, i, kind))
            .collect(),
        ..Batch::default()
    }
}

async fn submit(store: &Store, suite: &Assigned, age: i64, now: i64) -> Submitted {
    let command = Command::Submit {
        annotator: suite.annotator,
        submission: answered(suite, &suite.name[..20], age),
        now,
    };
    match store.carry_out(command).await.unwrap() {
        Reply::Submitted(submitted) => submitted,
        other => panic!("{other:?}"),
    }
}

fn code(error: StoreError) -> &'static str {
    match error {
        StoreError::Conflict { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

async fn status(store: &Store, pool: i64) -> (String, Option<String>) {
    let more = store.pool_more(pool).await.unwrap();
    (more.row.status, more.close_reason)
}

#[test]
fn the_same_operation_again_makes_nothing_and_its_log_names_what_was_made() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let pool = pool(&store, ApiPool::default(), |_| {}).await;
        let mut tasks = batch(pool, 5, 2);
        tasks.operation = Some(operation("0a"));
        let made = change(&store, Change::AddTasks(Box::new(tasks.clone())), 5)
            .await
            .unwrap();
        let Reply::Value(view) = made else {
            panic!("{made:?}")
        };
        assert_eq!(
            (&view["status"], &view["details"]["success_count"]),
            (&json!("SUCCESS"), &json!(7))
        );
        let again = change(&store, Change::AddTasks(Box::new(tasks)), 6).await;
        assert_eq!(code(again.unwrap_err()), "OPERATION_ALREADY_EXISTS");
        let search = Search {
            conditions: vec![("pool =".into(), Bound::Number(pool))],
            order: vec![("id".into(), false)],
            limit: 100,
            ..Search::default()
        };
        let all = store.tasks(&search).await.unwrap();
        assert_eq!(all.len(), 7);
        let log = store.operation_log("0a").await.unwrap();
        let logged: Vec<(Option<i64>, Option<String>)> =
            log.into_iter().map(|l| (l.subject, l.mark)).collect();
        let made: Vec<(Option<i64>, Option<String>)> = (0..)
            .zip(&all)
            .map(|(i, t)| (Some(t.id), Some(i.to_string())))
            .collect();
        assert_eq!(logged, made);
        store.close().await;
    });
}

#[test]
fn suites_put_together_by_hand_are_given_whole_as_often_as_wanted_and_to_nobody_twice() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let pool = pool(&store, ApiPool::default(), |_| {}).await;
        let who = [
            annotator(&store, "a").await,
            annotator(&store, "b").await,
            annotator(&store, "c").await,
        ];
        let suite = |place: usize, order: f64| BatchSuite {
            place,
            mark: None,
            pool,
            wanted: 2,
            order,
            tasks: (0..3)
                .map(|i| task(pool, i, if i == 2 { Kind::Control } else { Kind::Real }))
                .collect(),
            extra: json!({}),
            // The first is not for c.
            unavailable: if place == 0 {
                vec!["c".into()]
            } else {
                Vec::new()
            },
        };
        let suites = Batch {
            suites: vec![suite(0, 0.0), suite(1, 5.0)],
            ..Batch::default()
        };
        change(&store, Change::AddSuites(Box::new(suites)), 0)
            .await
            .unwrap();
        // The one of greater order first; everybody gets its tasks in its order.
        let (a, b) = (
            next(&store, who[0], pool, 1).await.unwrap().unwrap(),
            next(&store, who[1], pool, 1).await.unwrap().unwrap(),
        );
        let tasks = |s: &Assigned| s.tasks.iter().map(|t| t.task).collect::<Vec<_>>();
        assert_eq!(tasks(&a), tasks(&b));
        assert_eq!(tasks(&a).len(), 3);
        // Full for now, and the other is not for c.
        assert_eq!(next(&store, who[2], pool, 1).await.unwrap(), None);
        assert!(store.must_wait(who[2], pool).await.unwrap());
        // What a gives back, c gets.
        let skip = Command::Skip {
            annotator: who[0],
            assignment: a.name.clone(),
            now: 2,
        };
        store.carry_out(skip).await.unwrap();
        let c = next(&store, who[2], pool, 3).await.unwrap().unwrap();
        assert_eq!(tasks(&c), tasks(&a));
        for suite in [&b, &c] {
            assert!(matches!(
                submit(&store, suite, 30, 4).await,
                Submitted::Taken { .. }
            ));
        }
        let other = next(&store, who[1], pool, 5).await.unwrap().unwrap();
        assert_ne!(tasks(&other), tasks(&b));
        submit(&store, &other, 30, 6).await;
        assert_eq!(next(&store, who[1], pool, 7).await.unwrap(), None);
        let search = Search {
            order: vec![("id".into(), false)],
            limit: 9,
            ..Search::default()
        };
        let rows = store.suites(&search).await.unwrap();
        let held: Vec<i64> = rows.iter().map(|s| s.held).collect();
        assert_eq!(held, [1, 2]);
        store.close().await;
    });
}

fn too_far_off(reach: Reach) -> ApiPool {
    let condition = |key: &str, operator: &str, value: Value| Condition {
        key: key.into(),
        operator: operator.into(),
        value,
    };
    ApiPool {
        collectors: vec![Collector {
            kind: CollectorKind::GoldenSet,
            history: None,
            fast_seconds: None,
            field: Some("age".into()),
            rules: vec![QualityRule {
                conditions: vec![
                    condition("golden_set_answers_count", "GTE", json!(2)),
                    condition("golden_set_mean_abs_error", "GT", json!(8)),
                ],
                action: Action::Restrict {
                    reach,
                    ms: Some(1000),
                    comment: "too far off".into(),
                },
            }],
        }],
        ..ApiPool::default()
    }
}

#[test]
fn a_rule_shuts_out_for_its_time_asks_others_for_the_votes_and_is_silent_once_lifted() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let pool = pool(&store, too_far_off(Reach::Project), |s| s.real = 2).await;
        change(&store, Change::AddTasks(Box::new(batch(pool, 8, 4))), 0)
            .await
            .unwrap();
        let bot = annotator(&store, "bot").await;
        let first = next(&store, bot, pool, 1).await.unwrap().unwrap();
        assert!(matches!(
            submit(&store, &first, 90, 2).await,
            Submitted::Taken { banned: false, .. }
        ));
        let second = next(&store, bot, pool, 3).await.unwrap().unwrap();
        assert!(matches!(
            submit(&store, &second, 90, 4).await,
            Submitted::Taken { banned: true, .. }
        ));
        assert_eq!(
            store.progress(pool).await.unwrap().accepted,
            0,
            "others are asked"
        );
        assert_eq!(
            code(next(&store, bot, pool, 5).await.unwrap_err()),
            "BARRED"
        );
        let bans = store.restrictions(5).await.unwrap();
        assert_eq!(
            (bans.len(), bans[0].until, bans[0].scope.as_str()),
            (1, Some(1004), "PROJECT")
        );
        // Its time over, the same evidence brings it again; lifted by hand, the rule is silent.
        let third = next(&store, bot, pool, 2000).await.unwrap().unwrap();
        assert!(matches!(
            submit(&store, &third, 90, 2001).await,
            Submitted::Taken { banned: true, .. }
        ));
        let restriction = store.restrictions(2002).await.unwrap()[0].id;
        store
            .carry_out(Command::Lift {
                restriction,
                now: 2002,
            })
            .await
            .unwrap();
        let fourth = next(&store, bot, pool, 2003).await.unwrap().unwrap();
        assert!(matches!(
            submit(&store, &fourth, 90, 2004).await,
            Submitted::Taken { banned: false, .. }
        ));
        store.close().await;
    });
}

#[test]
fn restrictions_are_one_for_each_scope_and_close_what_is_in_hand() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let pool = pool(&store, ApiPool::default(), |s| s.reopen = false).await;
        change(&store, Change::AddTasks(Box::new(batch(pool, 12, 4))), 0)
            .await
            .unwrap();
        let who = annotator(&store, "a").await;
        let done = next(&store, who, pool, 1).await.unwrap().unwrap();
        submit(&store, &done, 30, 2).await;
        let kept = store.progress(pool).await.unwrap().accepted;
        let hand = next(&store, who, pool, 3).await.unwrap().unwrap();
        let restrict = |comment: &str, scope| {
            Change::Restrict(Restricting {
                annotator: who,
                scope,
                comment: comment.into(),
                until: None,
            })
        };
        let one = id(change(&store, restrict("first", Scope::Pool(pool)), 4)
            .await
            .unwrap());
        let same = id(change(&store, restrict("second", Scope::Pool(pool)), 5)
            .await
            .unwrap());
        let other = id(change(&store, restrict("third", Scope::All), 6)
            .await
            .unwrap());
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert_eq!(store.restriction(one).await.unwrap().comment, "second");
        assert!(matches!(
            submit(&store, &hand, 30, 7).await,
            Submitted::Late
        ));
        // This pool does not ask others for votes that were given.
        assert_eq!(store.progress(pool).await.unwrap().accepted, kept);
        store.close().await;
    });
}

#[test]
fn a_suite_is_accepted_or_rejected_once_and_a_rejected_one_may_still_be_accepted() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let api = ApiPool {
            auto_accept_ms: Some(1000),
            ..ApiPool::default()
        };
        let pool = pool(&store, api, |s| s.auto_accept = false).await;
        change(&store, Change::AddTasks(Box::new(batch(pool, 30, 4))), 0)
            .await
            .unwrap();
        let who = annotator(&store, "a").await;
        let mut suites = Vec::new();
        for now in [10, 20, 30] {
            let suite = next(&store, who, pool, now).await.unwrap().unwrap();
            submit(&store, &suite, 30, now + 1).await;
            suites.push(suite.name);
        }
        let judge = async |name: &str, accept| {
            let change_ = Change::Judge {
                assignment: name.into(),
                accept: Some(accept),
                comment: Some("because".into()),
            };
            change(&store, change_, 40).await
        };
        judge(&suites[0], true).await.unwrap();
        assert_eq!(
            code(judge(&suites[0], false).await.unwrap_err()),
            "INAPPROPRIATE_STATUS"
        );
        judge(&suites[1], false).await.unwrap();
        judge(&suites[1], true).await.unwrap();
        // Nobody judged the third in time.
        change(&store, Change::Tick, 1030).await.unwrap();
        let search = Search {
            order: vec![("assignment.id".into(), false)],
            limit: 9,
            ..Search::default()
        };
        let states = async || {
            let rows = store.assignments(&search).await.unwrap();
            rows.into_iter().map(|row| row.state).collect::<Vec<_>>()
        };
        assert_eq!(states().await, ["accepted", "accepted", "submitted"]);
        change(&store, Change::Tick, 1031).await.unwrap();
        assert_eq!(states().await, ["accepted", "accepted", "accepted"]);
        store.close().await;
    });
}

#[test]
fn a_pool_closes_when_it_has_all_votes_or_when_its_time_is_over() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let api = ApiPool {
            auto_close_ms: 100,
            will_expire: Some(5000),
            ..ApiPool::default()
        };
        let pool = pool(&store, api, |s| (s.real, s.control) = (1, 0)).await;
        let mut one = batch(pool, 1, 0);
        one.tasks[0].wanted = 1;
        change(&store, Change::AddTasks(Box::new(one.clone())), 0)
            .await
            .unwrap();
        let who = annotator(&store, "a").await;
        let suite = next(&store, who, pool, 10).await.unwrap().unwrap();
        change(&store, Change::Tick, 500).await.unwrap();
        assert_eq!(
            status(&store, pool).await.0,
            "OPEN",
            "a suite is in somebody's hands"
        );
        submit(&store, &suite, 30, 510).await;
        change(&store, Change::Tick, 609).await.unwrap();
        assert_eq!(status(&store, pool).await.0, "OPEN");
        change(&store, Change::Tick, 610).await.unwrap();
        assert_eq!(
            status(&store, pool).await,
            ("CLOSED".into(), Some("COMPLETED".into()))
        );
        // Opened by new tasks, it ends with its time.
        one.open = true;
        change(&store, Change::AddTasks(Box::new(one)), 700)
            .await
            .unwrap();
        assert_eq!(status(&store, pool).await.0, "OPEN");
        change(&store, Change::Tick, 5000).await.unwrap();
        assert_eq!(
            status(&store, pool).await,
            ("CLOSED".into(), Some("EXPIRED".into()))
        );
        store.close().await;
    });
}

#[test]
fn a_task_that_wants_no_more_votes_is_not_given_and_keeps_those_it_has() {
    on_each_database(async |url| {
        let store = Store::open(url).await.unwrap();
        let pool = pool(&store, ApiPool::default(), |s| (s.real, s.control) = (1, 0)).await;
        let Reply::Value(made) = change(&store, Change::AddTasks(Box::new(batch(pool, 1, 0))), 0)
            .await
            .unwrap()
        else {
            panic!("nothing was made")
        };
        let task = made[0][1].as_i64().unwrap();
        let (a, b) = (annotator(&store, "a").await, annotator(&store, "b").await);
        let suite = next(&store, a, pool, 1).await.unwrap().unwrap();
        let least = |n| Change::ChangeTask {
            task,
            overlap: OverlapChange::OrLeast(n),
            known: None,
            extra: None,
        };
        change(&store, least(0), 2).await.unwrap();
        assert_eq!(next(&store, b, pool, 3).await.unwrap(), None);
        assert!(matches!(
            submit(&store, &suite, 30, 4).await,
            Submitted::Taken { .. }
        ));
        assert_eq!(store.tasks_of(&[task]).await.unwrap()[0].wanted, 1);
        store.close().await;
    });
}
