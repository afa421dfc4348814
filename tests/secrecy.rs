//! Nothing that leaves the server tells a control from a task: a classifier that is told the roles of what half of the annotators
//! saw cannot guess the roles of what the other half saw. The same classifier finds every leak that is planted.

use crate::{
    server::{Server, campaign_of},
    support::Dir,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::Mutex,
    time::Instant,
};

const ANNOTATORS: usize = 50;
const SUITES: usize = 30;
const SUITE: usize = 4;

/// Everything that reached an annotator about one task.
#[derive(Clone)]
struct Shown {
    annotator: usize,
    suite: usize,
    place: usize,
    /// The task in the suite, as it stood in the answer.
    task: String,
    /// Status line and headers of the picture's answer, as they came.
    head: Vec<u8>,
    body: Vec<u8>,
    seconds: f64,
    is_control: bool,
}

/// A connection that keeps every byte.
struct Wire {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Wire {
    fn open(url: &str) -> Self {
        let stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
            token: String::new(),
        }
    }

    /// Head and body of the answer.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> (Vec<u8>, Vec<u8>) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: veche\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut head, mut length) = (Vec::new(), 0);
        loop {
            let from = head.len();
            assert!(self.stream.read_until(b'\n', &mut head).unwrap() > 0);
            let line = String::from_utf8_lossy(&head[from..]).to_ascii_lowercase();
            if let Some(n) = line.strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        assert!(
            head.starts_with(b"HTTP/1.1 200"),
            "{path}: {}{}",
            String::from_utf8_lossy(&head),
            String::from_utf8_lossy(&body)
        );
        (head, body)
    }

    fn json(&mut self, path: &str, body: &Value) -> Value {
        let (_, answer) = self.ask("POST", &format!("/api/annotator/{path}"), &body.to_string());
        serde_json::from_slice(&answer).unwrap()
    }

    /// A new annotator at work.
    fn sign_up(&mut self) {
        self.token = self.json("sign-up", &json!({}))["token"]
            .as_str()
            .unwrap()
            .to_owned();
        self.json("consent", &json!({ "consent": true }));
        assert_eq!(self.json("ready", &json!({}))["stage"], "work");
    }
}

/// What one annotator is sent in all their suites, and every answer to a submission.
fn life(
    url: &str,
    annotator: usize,
    roles: &BTreeMap<[u8; 32], bool>,
) -> (Vec<Shown>, BTreeSet<Vec<u8>>) {
    let mut wire = Wire::open(url);
    wire.sign_up();
    let (mut shown, mut replies) = (Vec::new(), BTreeSet::new());
    for suite in 0..SUITES {
        let (_, next) = wire.ask("POST", "/api/annotator/next", "{}");
        let next: Value = serde_json::from_slice(&next).unwrap();
        let tasks = next["suite"]["tasks"].as_array().unwrap();
        assert_eq!(tasks.len(), SUITE, "{next}");
        for (place, task) in tasks.iter().enumerate() {
            let path = task["picture"].as_str().unwrap();
            let start = Instant::now();
            let (head, body) = wire.ask("GET", path, "");
            let seconds = start.elapsed().as_secs_f64();
            let is_control = roles[blake3::hash(&body).as_bytes()];
            let task = task.to_string();
            shown.push(Shown {
                annotator,
                suite,
                place,
                task,
                head,
                body,
                seconds,
                is_control,
            });
        }
        let answer =
            json!({ "output": { "age": 30 + suite % 20, "sex": "female" }, "seconds": 3.0 });
        let submission = json!({
            "assignment": next["suite"]["assignment"], "token": "t", "answers": vec![answer; SUITE],
        });
        let (_, reply) = wire.ask("POST", "/api/annotator/submit", &submission.to_string());
        replies.insert(reply);
    }
    (shown, replies)
}

/// Counts of all runs of `n` bytes, by their hash.
fn grams(bytes: &[u8], n: usize, buckets: usize, out: &mut Vec<f64>) {
    let mut counts = vec![0.0; buckets];
    for run in bytes.windows(n) {
        let hash = run.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        counts[(hash >> 20) as usize % buckets] += 1.0;
    }
    out.extend(counts);
}

/// Everything a program could look at, as numbers. `suite` is what came with it.
fn features(one: &Shown, suite: &[&Shown], before: &BTreeSet<&[u8]>) -> Vec<f64> {
    let mut x: Vec<f64> = (0..SUITE)
        .map(|p| f64::from(u8::from(p == one.place)))
        .collect();
    let rank = |value: &dyn Fn(&Shown) -> f64| {
        suite.iter().filter(|o| value(o) < value(one)).count() as f64
    };
    let size = |s: &Shown| s.body.len() as f64;
    let (seconds, quickest) = (
        |s: &Shown| s.seconds,
        suite.iter().map(|s| s.seconds).fold(f64::MAX, f64::min),
    );
    x.extend([
        one.seconds.ln(),
        (one.seconds / quickest).ln(),
        rank(&seconds),
        size(one),
        size(one).ln(),
        rank(&size),
        f64::from(u8::from(before.contains(&one.body[..]))),
        one.task.len() as f64,
        one.head.len() as f64,
    ]);
    // The address, digit by digit.
    let digits: Vec<f64> = one
        .task
        .bytes()
        .rev()
        .filter_map(|b| Some(f64::from((b as char).to_digit(16)?)))
        .collect();
    x.extend((0..24).map(|i| digits.get(i).copied().unwrap_or(-1.0)));
    grams(one.task.as_bytes(), 3, 64, &mut x);
    grams(&one.head, 3, 64, &mut x);
    // The picture: the tables at its beginning, its end, how often which bytes come, and what it shows on the whole.
    grams(&one.body[..one.body.len().min(640)], 2, 32, &mut x);
    grams(&one.body[one.body.len().saturating_sub(8)..], 1, 8, &mut x);
    let mut bytes = [0.0; 16];
    one.body
        .iter()
        .for_each(|b| bytes[usize::from(b >> 4)] += 1.0 / size(one));
    x.extend(bytes);
    x.push(
        one.body
            .windows(2)
            .filter(|w| w[0] == 0xff && w[1] != 0)
            .count() as f64,
    );
    let picture = image::load_from_memory(&one.body).unwrap().to_rgb8();
    x.extend([f64::from(picture.width()), f64::from(picture.height())]);
    let n = f64::from(picture.width() * picture.height());
    for channel in 0..3 {
        let values = || picture.pixels().map(|p| f64::from(p.0[channel]));
        let mean = values().sum::<f64>() / n;
        x.extend([
            mean,
            (values().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt(),
        ]);
    }
    x
}

/// Rows of features, in order.
fn table(shown: &[Shown]) -> Vec<Vec<f64>> {
    let mut rows = Vec::with_capacity(shown.len());
    let mut from = 0;
    while from < shown.len() {
        let annotator = shown[from].annotator;
        let (mut before, mut own) = (BTreeSet::new(), from);
        while own < shown.len() && shown[own].annotator == annotator {
            let suite: Vec<&Shown> = shown[own..]
                .iter()
                .take_while(|s| (s.annotator, s.suite) == (annotator, shown[own].suite))
                .collect();
            rows.extend(suite.iter().map(|one| features(one, &suite, &before)));
            before.extend(suite.iter().map(|one| &one.body[..]));
            own += suite.len();
        }
        from = own;
    }
    rows
}

/// How well a logistic regression, trained on every other annotator, tells the roles of what the others saw: the probability
/// that it ranks a control above a task. Features are standardised by the training half; ridge penalty; 200 steps of
/// gradient descent with momentum.
fn auc(shown: &[Shown]) -> f64 {
    let mut rows = table(shown);
    let train: Vec<usize> = (0..rows.len())
        .filter(|&i| shown[i].annotator % 2 == 0)
        .collect();
    let test: Vec<usize> = (0..rows.len())
        .filter(|&i| shown[i].annotator % 2 == 1)
        .collect();
    let (n, width) = (train.len() as f64, rows[0].len());
    for f in 0..width {
        let mean = train.iter().map(|&i| rows[i][f]).sum::<f64>() / n;
        let sd = (train
            .iter()
            .map(|&i| (rows[i][f] - mean).powi(2))
            .sum::<f64>()
            / n)
            .sqrt();
        for row in &mut rows {
            // What is the same everywhere in training says nothing.
            row[f] = if sd > 1e-9 {
                ((row[f] - mean) / sd).clamp(-8.0, 8.0)
            } else {
                0.0
            };
        }
    }
    let score = |row: &[f64], w: &[f64], bias: f64| {
        bias + row.iter().zip(w).map(|(x, w)| x * w).sum::<f64>()
    };
    let share = train.iter().filter(|&&i| shown[i].is_control).count() as f64 / n;
    let (mut w, mut speed, mut bias) = (
        vec![0.0; width],
        vec![0.0; width],
        (share / (1.0 - share)).ln(),
    );
    for _ in 0..200 {
        let mut slope: Vec<f64> = w.iter().map(|w| 0.01 * w).collect();
        let mut shift = 0.0;
        for &i in &train {
            let p = 1.0 / (1.0 + (-score(&rows[i], &w, bias)).exp());
            let miss = (p - f64::from(u8::from(shown[i].is_control))) / n;
            shift += miss;
            for (slope, x) in slope.iter_mut().zip(&rows[i]) {
                *slope += miss * x;
            }
        }
        bias -= 0.2 * shift;
        for ((w, v), slope) in w.iter_mut().zip(&mut speed).zip(&slope) {
            *v = 0.9 * *v - 0.05 * slope;
            *w += *v;
        }
    }
    let scores = |role: bool| -> Vec<f64> {
        let of = test.iter().filter(|&&i| shown[i].is_control == role);
        of.map(|&i| score(&rows[i], &w, bias)).collect()
    };
    veche_pools::secrecy::leak("classifier", &scores(true), &scores(false))
        .unwrap()
        .auc
}

/// For the bytes of every picture of the pool whether it is a control's.
fn roles(dir: &Dir) -> BTreeMap<[u8; 32], bool> {
    dir.roles("c")
        .into_iter()
        .map(|(name, role)| {
            let bytes = std::fs::read(dir.join(&format!("c/pool/shown/{name}.jpg"))).unwrap();
            (*blake3::hash(&bytes).as_bytes(), role)
        })
        .collect()
}

#[test]
fn no_classifier_tells_controls_by_anything_that_50_annotators_were_sent() {
    // As many pictures as are shown: whoever sees one twice has learnt nothing new from it.
    let dir = campaign_of(
        4500,
        1500,
        "overlap = 1\n",
        "[serve]\npractice = 0\n",
        "count = 1500\n",
    );
    let roles = roles(&dir);
    let server = Server::start(&dir, &[]);
    let (shown, replies) = (Mutex::new(Vec::new()), Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        for worker in 0..5 {
            let (url, roles, shown, replies) = (&server.url, &roles, &shown, &replies);
            scope.spawn(move || {
                for annotator in (worker..ANNOTATORS).step_by(5) {
                    let (seen, told) = life(url, annotator, roles);
                    shown.lock().unwrap().extend(seen);
                    replies.lock().unwrap().extend(told);
                }
            });
        }
    });
    let mut shown = shown.into_inner().unwrap();
    shown.sort_by_key(|s| (s.annotator, s.suite, s.place));
    assert_eq!(shown.len(), ANNOTATORS * SUITES * SUITE);
    assert_eq!(
        replies.into_inner().unwrap().len(),
        1,
        "answers to submissions differ"
    );
    let controls = shown.iter().filter(|s| s.is_control).count();
    assert_eq!(controls, ANNOTATORS * SUITES);

    let found = auc(&shown);
    let tested = shown.iter().filter(|s| s.annotator % 2 == 1).count();
    println!(
        "AUC {found:.4} on {tested} tasks that {} annotators were sent",
        ANNOTATORS / 2
    );
    assert!(
        tested >= 2000 && (0.45..=0.55).contains(&found),
        "AUC {found:.4} on {tested} tasks"
    );

    // The same classifier finds what is planted.
    let planted = |name: &str, least: f64, plant: fn(&mut Shown)| {
        let mut leaky = shown.clone();
        leaky.iter_mut().filter(|s| s.is_control).for_each(plant);
        let found = auc(&leaky);
        println!("planted in {name}: AUC {found:.4}");
        assert!(
            found > least,
            "a leak in {name} is not found: AUC {found:.4}"
        );
    };
    planted("the JSON", 0.95, |s| {
        s.task = s.task.replace('}', r#","golden":true}"#)
    });
    planted("the headers", 0.95, |s| {
        s.head.extend_from_slice(b"x-cache: HIT\r\n")
    });
    planted("the size", 0.6, |s| s.body.extend_from_slice(&[0; 48]));
    planted("the order", 0.8, |s| s.place = 0);
    planted("the time", 0.6, |s| s.seconds *= 1.5);
    planted("the address", 0.6, |s| {
        let proof = s.task.split_off(s.task.rfind('-').unwrap());
        s.task += &proof.replace(['e', 'f'], "0");
    });
}
