//! A file that is read piece by piece says the same as one in memory, whatever is in it.

use std::io;

use yinxin::pdf::appearance::Appearance;
use yinxin::pdf::long_term::prepare_stamp;
use yinxin::pdf::seal::{Prepared, prepare};
use yinxin::pdf::signatures::{read, read_with};
use yinxin::pdf::source::{Appended, Elsewhere, ReadAt};

use crate::pdf_corpus::{corpus, pdfs};
use crate::pdf_seal::{CATALOG, PAGE, PAGES, Written, draft, impression, plan};

struct Pieces<'b>(&'b [u8]);

impl ReadAt for Pieces<'_> {
    fn length(&self) -> usize {
        self.0.len()
    }

    fn read_at(&self, offset: usize, into: &mut [u8]) -> io::Result<()> {
        into.copy_from_slice(&self.0[offset..offset + into.len()]);
        Ok(())
    }
}

#[test]
fn every_foreign_file_reads_the_same_from_disk() {
    let Some((home, index)) = corpus() else { return };
    let mut read_alike = 0;
    for (name, _, _, bytes) in pdfs(&home, &index) {
        let pieces = Pieces(&bytes);
        let elsewhere = Elsewhere::new(&pieces);
        let mut wanted = |_: &_| vec![yinxin::crypto::Digest::Sha256];
        let from_disk = read_with((&elsewhere).into(), &mut wanted);
        assert_eq!(from_disk, read(&bytes), "{name}");
        elsewhere.trouble().unwrap();
        read_alike += usize::from(from_disk.is_ok());
    }
    assert!(read_alike > 300, "only {read_alike} files read");
}

#[test]
fn a_draft_on_disk_and_one_in_two_parts_are_sealed_as_one_in_memory() {
    let appearance = Appearance::of(&impression());
    for shape in [Written::Table, Written::Stream(&[1, 2, 3, 5]), Written::Hybrid(&[5])] {
        let draft = draft(shape, CATALOG, PAGES, PAGE, &[]);
        let wanted = prepare(&draft, &plan(&appearance)).unwrap();
        let pieces = Pieces(&draft);
        let elsewhere = Elsewhere::new(&pieces);
        assert_eq!(prepare(&elsewhere, &plan(&appearance)).as_ref(), Ok(&wanted), "{shape:?}");
        let again = Prepared::from_parts(&elsewhere, wanted.tail().to_vec(), wanted.hole());
        assert_eq!(again.as_ref(), Ok(&wanted), "{shape:?}");

        // What follows is an update of the draft on disk and the tail in hand.
        let tail = wanted.close(&[0x30, 0]).unwrap();
        let both = Appended { first: (&elsewhere).into(), tail: &tail };
        let whole = [&draft[..], &tail].concat();
        assert_eq!(prepare_stamp(&both, 64), prepare_stamp(&whole, 64), "{shape:?}");
        elsewhere.trouble().unwrap();
    }
}
