//! Pictures of a document's pages, as they were signed and as they are now, drawn in a process of its own.
//!
//! Whatever a document does to the program that draws it, the verdict stands: drawing happens in a child of our own
//! binary with no environment, no files, no network, and ceilings on memory, time and what it may answer ([`cage`]). The
//! child is given the document and answers with pictures; if it fails, there are none and the page says so.
//!
//! Nothing is decided here: that a place looks different does not say whether it was allowed to.

mod cage;
mod child;
mod differences;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::limits;
use crate::message::Message;

pub use cage::Landlock;
pub use child::{draw, draw_ofd};

/// The subcommand of our own binary that is the child, and its word that the document is an OFD. Which it is, whoever judged it
/// knows: a file that is two things is drawn as what was judged.
pub const COMMAND: &str = "draw-pages";
const OFD: &str = "--ofd";

/// One line of the child's answer.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Line {
    Caged {
        landlock: Landlock,
    },
    /// How many the document has now.
    Pages {
        of: usize,
    },
    /// A page as it is now, in order. Pictures are PNG in base64.
    Now {
        png: String,
    },
    /// A page of an OFD, with the signatures whose seals stand on it; both count from 1. SVG in base64.
    Sheet {
        page: usize,
        seals: Vec<usize>,
        svg: String,
    },
    /// What is not drawn, or not as it would look elsewhere.
    Omits {
        zh: String,
        en: String,
    },
    /// A page of an earlier state that looks the same now.
    Same {
        state: usize,
        page: usize,
    },
    /// One that does not; `then` or `now` is none where there was or is no such page.
    Differs {
        state: usize,
        page: usize,
        places: usize,
        then: Option<String>,
        now: Option<String>,
    },
    /// The earlier state cannot be drawn by itself.
    Unreadable {
        state: usize,
    },
    /// There is more, and no room for it.
    Full,
}

/// The pictures of one document.
#[derive(Debug, Default)]
pub struct Previews {
    /// How many pages it has now.
    pub pages: usize,
    /// The first of them; of an OFD those with seals before the others.
    pub now: Vec<Shown>,
    /// One for each length asked about, in that order; fewer where the room was used up.
    pub states: Vec<State>,
    /// Not everything was drawn.
    pub cut: bool,
    /// What is not drawn of the pages that are.
    pub left_out: Vec<Message>,
    /// What the kernel enforced while drawing; none where the child did not say.
    pub landlock: Option<Landlock>,
}

/// A page as it is now.
#[derive(Debug)]
pub struct Shown {
    /// From 1.
    pub page: usize,
    /// Numbers of the signatures whose seals stand on it, from 1; where the pages tell.
    pub seals: Vec<usize>,
    /// `image/png`, or `image/svg+xml`: which as a picture runs no script and fetches nothing (SVG 2 §2.2.1).
    pub media_type: &'static str,
    /// In base64.
    pub picture: String,
}

/// An earlier state of the document beside the newest.
#[derive(Debug, Default)]
pub struct State {
    /// It cannot be drawn by itself.
    pub unreadable: bool,
    /// Pages that look the same now.
    pub same: usize,
    pub differing: Vec<Differing>,
}

/// A page that looks different now, with the places framed in both pictures (PNG in base64).
#[derive(Debug)]
pub struct Differing {
    /// From 1.
    pub page: usize,
    pub places: usize,
    pub then: Option<String>,
    pub now: Option<String>,
}

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
pub enum NotDrawn {
    #[error("larger than is drawn")]
    TooLarge,
    #[error("too many at once")]
    Busy,
    #[error("the child was not started: {0}")]
    NotStarted(std::io::Error),
    #[error("out of time")]
    OutOfTime,
    /// A panic, a limit, a signal, or an answer that is none.
    #[error("the child failed: {0}")]
    Failed(String),
}

impl NotDrawn {
    /// For people.
    pub fn message(&self) -> Message {
        let (zh, en) = match self {
            Self::TooLarge => ("文件过大，不提供页面预览", "the file is too large for a preview of its pages"),
            Self::Busy => (
                "页面预览暂时繁忙，请稍后重新核验",
                "too many previews are being drawn just now; verify again in a moment",
            ),
            Self::NotStarted(_) | Self::OutOfTime | Self::Failed(_) => (
                "无法安全地绘制此文件的页面，不提供预览",
                "the pages of this file could not be drawn safely, so there is no preview",
            ),
        };
        Message::new("preview.not-drawn", format!("{zh}；核验结论不受影响。"), format!("{en}; the verdict stands."))
    }
}

/// Starts children, a few at a time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Previewer {
    program: PathBuf,
    running: Arc<AtomicUsize>,
}

impl Previewer {
    /// `program` is the yinxin binary; in the service, the very file that is running.
    pub fn new(program: PathBuf) -> Self {
        Self { program, running: Arc::default() }
    }

    /// The running binary itself, also after its file was replaced by a newer one.
    pub fn of_this_program() -> Self {
        Self::new("/proc/self/exe".into())
    }

    /// Draws the first pages of a PDF, and of its states that ended at `lengths`. Blocks for up to
    /// [`limits::PREVIEW_SECONDS`].
    ///
    /// # Errors
    /// [`NotDrawn`]; never because of what the pages say.
    pub fn draw(&self, pdf: &[u8], lengths: &[usize]) -> Result<Previews, NotDrawn> {
        let lengths: Vec<String> = lengths.iter().take(limits::PREVIEW_STATES).map(usize::to_string).collect();
        self.drawn(pdf, &lengths, lengths.len())
    }

    /// Draws pages of an OFD, those with seals first. As [`Previewer::draw`].
    ///
    /// # Errors
    /// [`NotDrawn`].
    pub fn draw_ofd(&self, ofd: &[u8]) -> Result<Previews, NotDrawn> {
        self.drawn(ofd, &[OFD.to_owned()], 0)
    }

    fn drawn(&self, document: &[u8], arguments: &[String], states: usize) -> Result<Previews, NotDrawn> {
        if document.len() > limits::PREVIEW_BYTES {
            return Err(NotDrawn::TooLarge);
        }
        let _turn = Turn::of(&self.running).ok_or(NotDrawn::Busy)?;
        let child = Command::new(&self.program)
            .arg(COMMAND)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(NotDrawn::NotStarted)?;
        let (answer, ended) = converse(child, document)?;
        match read(&answer, states) {
            // Out of room it ends with an error of its own, after everything that there was room for.
            Some(previews) if ended.success() || previews.cut => Ok(previews),
            _ => Err(NotDrawn::Failed(ended.to_string())),
        }
    }
}

/// One of the few at a time.
struct Turn(Arc<AtomicUsize>);

impl Turn {
    fn of(running: &Arc<AtomicUsize>) -> Option<Self> {
        let more = |n: usize| (n < limits::PREVIEWS).then_some(n + 1);
        running.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok().map(|_| Self(running.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Hands the document over and takes the answer. The child is gone when this returns, whatever it did.
fn converse(mut child: Child, document: &[u8]) -> Result<(Vec<u8>, ExitStatus), NotDrawn> {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let heard = std::thread::scope(|scope| {
        // A child that dies closes its ends, and both threads end with it.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(document)));
        let (tell, told) = mpsc::channel();
        scope.spawn(move || {
            let mut answer = Vec::new();
            // Twice what it may say: one byte over is told apart from all that there was.
            let most = 2 * limits::PREVIEW_OUTPUT_BYTES as u64;
            let read = stdout.map(|stdout| stdout.take(most).read_to_end(&mut answer));
            let _ = tell.send(read.and_then(Result::ok).map(|_| answer));
        });
        let heard = told.recv_timeout(Duration::from_secs(limits::PREVIEW_SECONDS));
        // It has said all it will, or has had its time. One that ended by itself keeps its own exit status.
        let _ = child.kill();
        heard
    });
    let ended = child.wait().map_err(NotDrawn::NotStarted)?;
    match heard {
        Ok(Some(answer)) => Ok((answer, ended)),
        Ok(None) => Err(NotDrawn::Failed(ended.to_string())),
        Err(_) => Err(NotDrawn::OutOfTime),
    }
}

/// Reads the answer; none where a line is not one of ours. The child may have been taken over by the document, so its
/// words are bounded, and pictures are letters of base64 before they come near a page.
fn read(answer: &[u8], states: usize) -> Option<Previews> {
    let mut previews = Previews { states: (0..states).map(|_| State::default()).collect(), ..Previews::default() };
    let picture = |png: &String| png.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    for line in answer.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line).ok()? {
            Line::Caged { landlock } => previews.landlock = Some(landlock),
            Line::Pages { of } => previews.pages = of.min(limits::PDF_PAGES.max(limits::OFD_PAGES)),
            Line::Now { png } if picture(&png) && previews.now.len() < limits::PREVIEW_PAGES => {
                let (page, seals) = (previews.now.len() + 1, Vec::new());
                previews.now.push(Shown { page, seals, media_type: "image/png", picture: png });
            }
            Line::Sheet { page, seals, svg } if picture(&svg) && previews.now.len() < limits::PREVIEW_PAGES => {
                if page > limits::OFD_PAGES || seals.len() > limits::OFD_SIGNATURES {
                    return None;
                }
                previews.now.push(Shown { page, seals, media_type: "image/svg+xml", picture: svg });
            }
            Line::Omits { zh, en } => {
                let longest = zh.chars().count().max(en.chars().count());
                if previews.left_out.len() == limits::PREVIEW_OMISSIONS || longest > limits::PREVIEW_OMISSION_LETTERS {
                    return None;
                }
                previews.left_out.push(Message::new("preview.left-out", zh, en));
            }
            Line::Same { state, .. } => previews.states.get_mut(state)?.same += 1,
            Line::Differs { state, page, places, then, now } if then.iter().chain(&now).all(picture) => {
                let differing = &mut previews.states.get_mut(state)?.differing;
                if differing.len() == limits::PREVIEW_PAGES || page >= limits::PREVIEW_PAGES {
                    return None;
                }
                differing.push(Differing { page: page + 1, places, then, now });
            }
            Line::Unreadable { state } => previews.states.get_mut(state)?.unreadable = true,
            Line::Full => previews.cut = true,
            Line::Now { .. } | Line::Sheet { .. } | Line::Differs { .. } => return None,
        }
    }
    (previews.landlock.is_some() && !previews.now.is_empty()).then_some(previews)
}

#[cfg(test)]
mod tests;
