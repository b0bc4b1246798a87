//! Asking witnesses to cosign a head of our log (C2SP tlog-witness): all at once, each within the deadline, and believed only
//! when its line holds. One that failed is left alone for a while, as long as the others suffice.
//!
//! Deliberately absent: redirects and proxies (the settings name whom we talk to), and any opinion about how many are enough
//! for what; whoever asks looks at [`Cosignatures::is_enough`].

mod ask;
mod fault;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration as Budget;

use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use self::ask::{Answer, Asked};
use crate::tlog::checkpoint::Cosigned;
use crate::tlog::note::{Line, Note, VerifierKey};
use crate::tlog::tree::Hash;
use crate::tlog::witness::AddCheckpoint;

pub use self::fault::Fault;

/// How often one witness is asked about one head: a first time with the size remembered, a second with the one that it told,
/// a third where another process of ours came between.
const TURNS: usize = 3;

/// Who is asked, and how many must say yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessesSettings {
    pub each: Vec<WitnessSettings>,
    /// So many cosignatures are enough.
    pub needed: usize,
    /// For everything about one head.
    pub deadline: Budget,
}

/// One witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessSettings {
    /// Where its `add-checkpoint` is: `https://…` without a slash at the end.
    pub url: String,
    /// Its key, by which its lines are known.
    pub key: VerifierKey,
}

/// The witnesses. What is known of their health, and of the heads that they have seen, is in this process alone.
#[derive(Debug)]
pub struct Witnesses {
    each: Vec<Arc<Asked>>,
    needed: usize,
    deadline: Budget,
}

/// What came of asking about one head.
#[derive(Debug, Default)]
pub struct Cosignatures {
    /// Lines that held, to be put under the head.
    pub lines: Vec<Line>,
    /// Whose they are, and when they were made.
    pub seen_by: Vec<Cosigned>,
    /// Why the others gave none, by name. Nothing is said of those that were not waited for once enough had answered.
    pub faults: Vec<(String, Fault)>,
    needed: usize,
}

impl Cosignatures {
    /// Whether as many cosigned as the settings ask for.
    pub fn is_enough(&self) -> bool {
        self.lines.len() >= self.needed
    }
}

/// How a witness stands.
#[derive(Debug, Clone)]
pub struct Standing {
    pub name: String,
    /// It is left alone until then, if the others suffice.
    pub rests_until: Option<OffsetDateTime>,
    pub last_fault: Option<Fault>,
    /// Leaves of the newest head that it told of or cosigned.
    pub size: Option<u64>,
}

impl Witnesses {
    /// Asks nobody yet.
    pub fn of(settings: WitnessesSettings) -> Self {
        let WitnessesSettings { each, needed, deadline } = settings;
        Self { each: each.into_iter().map(|one| Arc::new(Asked::of(one))).collect(), needed, deadline }
    }

    /// How many must say yes.
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// Their keys, for whoever checks receipts.
    pub fn keys(&self) -> Vec<VerifierKey> {
        self.each.iter().map(|one| one.key().clone()).collect()
    }

    /// How each stands.
    pub fn standing(&self, now: OffsetDateTime) -> Vec<Standing> {
        self.each.iter().map(|one| one.standing(now)).collect()
    }

    /// Has this head, which the log's key signed and which is of `size` leaves, cosigned. `prove` gives the proof that it
    /// continues the head of the size that it is given (RFC 6962 §2.1.2). Returns as soon as enough held, or all have
    /// answered, or time is over; who answers later is only remembered.
    pub async fn cosign<E, Proving>(
        &self,
        head: &Note,
        size: u64,
        now: OffsetDateTime,
        prove: impl Fn(u64) -> Proving,
    ) -> Cosignatures
    where
        E: std::fmt::Display,
        Proving: Future<Output = Result<Vec<Hash>, E>>,
    {
        let until = Instant::now() + self.deadline;
        let mut got = Cosignatures { needed: self.needed, ..Cosignatures::default() };
        let mut proofs = BTreeMap::new();
        let mut asking = JoinSet::new();
        let mut waiting: BTreeMap<usize, usize> = BTreeMap::new();
        // The size that each is believed to have seen; the first time of all 0, which costs a turn and no harm.
        let mut next: Vec<(usize, u64)> = Vec::new();
        for (number, one) in self.chosen(now, &mut got.faults) {
            next.push((number, one.size().unwrap_or(0).min(size)));
        }
        loop {
            for (number, old) in std::mem::take(&mut next) {
                let Some(one) = self.each.get(number) else { continue };
                let proof = match proofs.get(&old) {
                    Some(proof) => Ok(Vec::clone(proof)),
                    // Nothing is to be proven about no tree, or about the same.
                    None if old == 0 || old == size => Ok(vec![]),
                    None => match timeout_at(until, prove(old)).await {
                        Ok(proven) => proven.map_err(|why| Fault::NoProof(why.to_string())),
                        Err(_) => Err(Fault::NoProof("not in time".into())),
                    },
                };
                match proof {
                    Ok(proof) => {
                        proofs.insert(old, proof.clone());
                        *waiting.entry(number).or_default() += 1;
                        let (one, request) = (one.clone(), AddCheckpoint { old, proof, head: head.clone() });
                        let budget = until.saturating_duration_since(Instant::now());
                        asking.spawn_blocking(move || (number, old, one.ask(&request, size, now, budget)));
                    }
                    Err(fault) => {
                        waiting.remove(&number);
                        got.faults.push((one.name().to_owned(), fault));
                    }
                }
            }
            if got.is_enough() {
                break;
            }
            let Ok(answered) = timeout_at(until, asking.join_next()).await else { break };
            let Some(answered) = answered else { break };
            let Ok((number, old, answer)) = answered else { continue };
            let name = self.each.get(number).map(|one| one.name().to_owned()).unwrap_or_default();
            let turns = waiting.get(&number).copied().unwrap_or(TURNS);
            match answer {
                Ok(Answer::Cosigned(line, cosigned)) => {
                    waiting.remove(&number);
                    got.lines.push(line);
                    got.seen_by.push(cosigned);
                }
                Ok(Answer::HasSeen(seen)) if seen != old && seen <= size && turns < TURNS => next.push((number, seen)),
                Ok(Answer::HasSeen(seen)) => {
                    waiting.remove(&number);
                    let fault = match seen {
                        seen if seen > size => Fault::Ahead(seen),
                        seen if seen == old && seen == size => Fault::OtherRoot,
                        _ => Fault::Unreadable,
                    };
                    got.faults.push((name, fault));
                }
                Err(fault) => {
                    waiting.remove(&number);
                    got.faults.push((name, fault));
                }
            }
        }
        if !got.is_enough() {
            let late = waiting.keys().filter_map(|number| self.each.get(*number));
            got.faults.extend(late.map(|one| (one.name().to_owned(), Fault::Late)));
        }
        // Those under way finish for themselves: what they say is remembered, and closes their connection well.
        asking.detach_all();
        got
    }

    /// Who is asked: those that do not rest, or all where these are too few. Witnesses are what sealing waits for, so rest
    /// never keeps anybody waiting.
    fn chosen(&self, now: OffsetDateTime, faults: &mut Vec<(String, Fault)>) -> Vec<(usize, &Arc<Asked>)> {
        let all = || self.each.iter().enumerate();
        let awake: Vec<_> = all().filter(|(_, one)| one.rests_until(now).is_none()).collect();
        if awake.len() < self.needed {
            return all().collect();
        }
        let resting = all().filter_map(|(_, one)| Some((one.name().to_owned(), Fault::Resting(one.rests_until(now)?))));
        faults.extend(resting);
        awake
    }
}
