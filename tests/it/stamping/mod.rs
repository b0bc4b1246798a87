//! Time stamps: outside authorities that fail and lie, and our own on real sockets under OpenSSL's eyes.

mod fake;
mod outside;
mod own;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use time::Duration;
use yinxin::crypto::Digest;
use yinxin::desk::{Desk, FlowError};
use yinxin::stamp::Token;
use yinxin::stamping::{Plan, Stamping};

use crate::bureau::*;
use crate::db::Database;

/// A bureau whose clock the test moves.
struct House {
    bureau: Bureau,
    late: Arc<AtomicI64>,
    folder: tempfile::TempDir,
}

impl House {
    async fn found(database: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut bureau = Bureau::found(database, folder.path()).await;
        let late = Arc::new(AtomicI64::new(0));
        let seconds = late.clone();
        bureau.desk.clock = Arc::new(move || NOW + Duration::seconds(seconds.load(Ordering::SeqCst)));
        Self { bureau, late, folder }
    }

    /// The desk, stamped by this plan.
    fn desk(&self, plan: Plan) -> Desk {
        self.bureau.desk.clone().stamped_by(Stamping::of(plan, self.now()))
    }

    fn now(&self) -> time::OffsetDateTime {
        (self.bureau.desk.clock)()
    }

    fn later(&self, by: Duration) {
        self.late.fetch_add(by.whole_seconds(), Ordering::SeqCst);
    }
}

const IMPRINT: [u8; 32] = [0x5A; 32];

/// A token over [`IMPRINT`], and what is wrong where there is none.
async fn stamp(desk: &Desk) -> Result<Token, String> {
    match desk.stamp(Digest::Sha256, &IMPRINT).await {
        Ok(der) => Ok(Token::read(&der).unwrap()),
        Err(FlowError::Unstamped(message)) => {
            assert_eq!(message.id, "stamping.unstamped");
            Err(message.en)
        }
        Err(other) => panic!("{other}"),
    }
}
