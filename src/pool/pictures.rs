//! Renders the pictures of a pool on all cores, from files and addresses alike.

use crate::{
    Problem, Result,
    pictures::{
        ContentHash, DecodeLimits, Fault, FetchSpec, Fingerprint, RenderSpec, decode, fetch_each,
        render,
    },
    problem,
};
use indicatif::ProgressBar;
use rayon::prelude::*;
use std::{fs, io, path::PathBuf, sync::Mutex, sync::mpsc::sync_channel, time::SystemTime};
use veche_pools::{Content, PixelBox};

/// One picture to render.
pub struct Job<'a> {
    /// Where it comes from.
    pub content: &'a Content,
    /// The part to show; the whole picture if `None`.
    pub crop: Option<PixelBox>,
    /// Where the shown file goes.
    pub out: PathBuf,
}

/// What is kept of a rendered picture.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// To find copies.
    pub fingerprint: Fingerprint,
    /// To find exact copies, and for provenance.
    pub hash: ContentHash,
    /// Left, top, width and height of what is shown of it, pixels.
    pub part: (u32, u32, u32, u32),
    /// Size of the shown file, bytes.
    pub shown_bytes: f64,
    /// Width over height as shown.
    pub aspect: f64,
    /// Shown over original size: above 1 the picture was enlarged, and looks soft.
    pub enlargement: f64,
}

/// Renders every job; the results stand in the order of the jobs. A problem names the file or address, not the row.
///
/// The error is that of a shown picture that could not be written: the disk's fault and not the picture's, so it is never
/// a bad row.
pub fn render_all(
    jobs: &[Job<'_>],
    spec: &RenderSpec,
    limits: &DecodeLimits,
    bar: &ProgressBar,
) -> Result<Vec<Result<Rendered>>> {
    let results: Vec<Mutex<Option<Result<Rendered>>>> =
        jobs.iter().map(|_| Mutex::new(None)).collect();
    let unwritten: Mutex<Option<Box<Problem>>> = Mutex::new(None);
    let put = |at: usize, result: Result<Rendered, Failed>| {
        let result = match result {
            Ok(rendered) => Ok(rendered),
            Err(Failed::Picture(problem)) => Err(problem),
            Err(Failed::Disk(problem)) => {
                if let Ok(mut first) = unwritten.lock() {
                    first.get_or_insert_with(|| problem.clone());
                }
                Err(problem)
            }
        };
        if let Ok(mut slot) = results[at].lock() {
            *slot = Some(result);
        }
        bar.inc(1);
    };
    jobs.par_iter()
        .enumerate()
        .for_each(|(at, job)| match job.content {
            Content::File(path) => {
                let bytes = fs::read(path).map_err(|e| Failed::Picture(missing(path, &e)));
                put(
                    at,
                    bytes.and_then(|bytes| render_one(&bytes, path, job, spec, limits)),
                );
            }
            Content::Text(_) => put(
                at,
                Err(Failed::Picture(problem("a text has no picture").into())),
            ),
            Content::Url(_) => {}
        });
    let mut at_url = Vec::new();
    let mut urls = Vec::new();
    for (at, job) in jobs.iter().enumerate() {
        if let Content::Url(url) = job.content {
            at_url.push(at);
            urls.push(url.clone());
        }
    }
    if !urls.is_empty() {
        // A full channel holds back the fetching, so that memory stays bounded when decoding is the slower side.
        let (sender, receiver) = sync_channel(32);
        let fetched = std::thread::scope(|scope| {
            scope.spawn(|| {
                receiver
                    .into_iter()
                    .par_bridge()
                    .for_each(|(i, got): (usize, Result<Vec<u8>>)| {
                        let at = at_url[i];
                        let got = got.map_err(Failed::Picture);
                        put(
                            at,
                            got.and_then(|bytes| {
                                render_one(&bytes, &urls[i], &jobs[at], spec, limits)
                            }),
                        );
                    });
            });
            let result = fetch_each(&urls, &FetchSpec::default(), |i, got| {
                let got = got.map_err(|fault| Box::new(problem(fault.to_string()).file(&urls[i])));
                // The receiver lives until this sender is dropped.
                let _ = sender.send((i, got));
            });
            drop(sender);
            result
        });
        fetched.map_err(|fault| problem(fault.to_string()))?;
    }
    if let Some(problem) = unwritten.into_inner().ok().flatten() {
        return Err(problem);
    }
    let lost = || problem("a picture was not rendered").fail();
    Ok(results
        .into_iter()
        .map(|r| r.into_inner().ok().flatten().unwrap_or_else(lost))
        .collect())
}

/// Whose fault it is that a picture was not rendered.
enum Failed {
    /// The picture's: a bad row.
    Picture(Box<Problem>),
    /// The disk's: the shown picture could not be written.
    Disk(Box<Problem>),
}

fn missing(path: &str, error: &io::Error) -> Box<Problem> {
    if error.kind() == io::ErrorKind::NotFound {
        let p = problem("there is no such picture").file(path);
        return Box::new(
            p.hint("paths are relative to the table, or to `pictures` in campaign.toml"),
        );
    }
    Problem::io("read the picture", path, error)
}

fn render_one(
    bytes: &[u8],
    name: &str,
    job: &Job<'_>,
    spec: &RenderSpec,
    limits: &DecodeLimits,
) -> Result<Rendered, Failed> {
    let fail = |what: String| Failed::Picture(Box::new(problem(what).file(name)));
    let picture = decode(bytes, limits).map_err(|fault| match fault {
        Fault::TooLarge { .. } => Failed::Picture(Box::new(
            problem(fault.to_string())
                .file(name)
                .hint("make it smaller, raise max_megapixels under [pictures], or leave it out with --skip-bad-rows"),
        )),
        _ => fail(fault.to_string()),
    })?;
    let shown = render(&picture, job.crop, spec).map_err(|fault| fail(fault.to_string()))?;
    let part = crate::pictures::render::shown_part(picture.dimensions(), job.crop, spec.margin)
        .map_err(|fault| fail(fault.to_string()))?;
    let write = || -> io::Result<()> {
        fs::write(&job.out, &shown)?;
        // One date for all: the order of rendering is the order of the owner's tables.
        fs::File::options()
            .write(true)
            .open(&job.out)?
            .set_modified(SystemTime::UNIX_EPOCH)
    };
    write().map_err(|e| Failed::Disk(Problem::io("write the picture", &job.out, &e)))?;
    let (width, height) = (f64::from(part.2), f64::from(part.3));
    Ok(Rendered {
        // Of the part that is shown: one photo may hold an item and a control side by side, told apart by their boxes.
        fingerprint: match part {
            (0, 0, w, h) if (w, h) == picture.dimensions() => Fingerprint::of(&picture),
            (x, y, w, h) => {
                Fingerprint::of(&image::imageops::crop_imm(&picture, x, y, w, h).to_image())
            }
        },
        part,
        hash: ContentHash::of(bytes),
        shown_bytes: shown.len() as f64,
        aspect: width / height,
        enlargement: f64::from(spec.longest_side) / width.max(height),
    })
}
