//! The one integration binary: the house's rules, and the stories that need a real database, token or reader.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends at the first thing that is not so")]

mod administer;
mod browser;
mod bureau;
mod ceremony;
mod cli;
mod co_seal;
mod crash;
mod db;
mod demo_data;
mod fsck;
mod house;
mod hsm;
mod http;
mod issue;
mod issuing;
mod levels;
mod life;
mod lines;
mod log;
mod making;
mod monitor;
mod ofd;
mod ofd_files;
mod pdf_corpus;
mod pdf_places;
mod pdf_seal;
mod pdf_second;
mod pdf_source;
mod register;
mod sm2;
mod stamping;
mod status;
mod store;
mod verify;
mod witness;
