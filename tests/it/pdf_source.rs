//! A file that is read piece by piece says the same as one in memory, whatever is in it.

use std::io;

use yinxin::pdf::signatures::{read, read_with};
use yinxin::pdf::source::{Elsewhere, ReadAt};

use crate::pdf_corpus::{corpus, pdfs};

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
