//! 印信 (yinxin): the electronic-seal and licence issuance service behind one approval seal.
//!
//! The map. Rooms carry the nouns of the trade and stand on floors; imports only go down, and rooms of the tools'
//! floor never import each other. `tests/it/house.rs` reads every `use` line and holds the rooms to it.
//!
//! | floor | rooms | may touch |
//! |---|---|---|
//! | doors | [`cli`], [`http`], [`config`] | arguments, sockets; they parse, call one flow, and answer |
//! | flows | [`desk`], [`issue`], [`log`], [`audit`], [`fsck`], [`monitor`], [`abolish`], [`administer`], [`ca`], [`ceremony`], [`renew`], [`stamping`], [`status`], [`verify`], [`witness`] | the tools, in the order of the story |
//! | tools | [`fetch`], [`keys`], [`preview`], [`render`], [`store`], [`tsa`], [`witnesses`] | the outside world, one kind each |
//! | formats | [`pdf`], [`ofd`], [`ses`], [`cms`], [`stamp`], [`pki`], [`impression`], [`tlog`], [`crypto`], [`limits`] | nothing: bytes ↔ meaning |
//! | rules | [`authority`], [`item`], [`officer`], [`seal`], [`abolition`], [`ceiling`], [`decision`], [`licence`], [`register`], [`refusal`] | nothing: they decide |
//! | ground | [`message`] | nothing |
//!
//! What is deliberately absent:
//! - from rules and formats: clock, randomness, files, sockets, async. `now` and bytes come in as arguments;
//!   `cargo check --no-default-features --lib` builds exactly these floors and the pure half of [`verify`] (all but
//!   `gather`), so the compiler guards the line.
//! - from [`keys`]: any way to sign bytes, or to destroy a key, that was not written down first. A key takes a
//!   [`store::Order`] or a [`store::Destruction`] and nothing else, and only the store can make one. They are the two
//!   types a tool takes from another tool.
//! - from [`store`]: UPDATE or DELETE on what happened (decisions, documents, seal events, custody, abolitions, revocations
//!   and audit are appended; an order's state moves once, from written to sealed or lost).
//! - from [`verify`]: the network. What a document names is never fetched; a verdict is a function of what was gathered.
//! - from [`tsa`], [`fetch`] and [`witnesses`]: any host that the settings do not list. They are asked when something is sealed or
//!   renewed; only [`monitor`], which has no settings, asks the hosts of its own command line.
//! - from [`http`]: rules. A handler that decides something is in the wrong room.

// — ground
pub mod message;
// — rules: decide
pub mod abolition;
pub mod authority;
pub mod ceiling;
pub mod decision;
pub mod item;
pub mod licence;
pub mod officer;
pub mod refusal;
pub mod register;
pub mod seal;
// — formats: bytes ↔ meaning
pub mod cms;
pub mod crypto;
pub mod impression;
pub mod limits;
pub mod ofd;
pub mod pdf;
pub mod pki;
pub mod ses;
pub mod stamp;
pub mod tlog;
// — tools: the outside world
#[cfg(feature = "service")]
pub mod fetch;
#[cfg(feature = "service")]
pub mod keys;
#[cfg(feature = "service")]
pub mod preview;
#[cfg(feature = "service")]
pub mod render;
#[cfg(feature = "service")]
pub mod store;
#[cfg(feature = "service")]
pub mod tsa;
#[cfg(feature = "service")]
pub mod witnesses;
// — flows: the stories
#[cfg(feature = "service")]
pub mod abolish;
#[cfg(feature = "service")]
pub mod administer;
#[cfg(feature = "service")]
pub mod audit;
#[cfg(feature = "service")]
pub mod ca;
#[cfg(feature = "service")]
pub mod ceremony;
#[cfg(feature = "service")]
pub mod desk;
#[cfg(feature = "service")]
pub mod fsck;
#[cfg(feature = "service")]
pub mod issue;
#[cfg(feature = "service")]
pub mod log;
#[cfg(feature = "service")]
pub mod monitor;
#[cfg(feature = "service")]
pub mod renew;
#[cfg(feature = "service")]
pub mod stamping;
#[cfg(feature = "service")]
pub mod status;
pub mod verify;
#[cfg(feature = "service")]
pub mod witness;
// — doors
#[cfg(feature = "service")]
pub mod cli;
#[cfg(feature = "service")]
pub mod config;
#[cfg(feature = "service")]
pub mod http;
