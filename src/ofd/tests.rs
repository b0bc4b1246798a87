//! Packages of others, and packages made to be read in two ways.

use std::path::PathBuf;

use super::package::{Package, PackageFault};

fn corpus() -> Option<PathBuf> {
    let corpus = PathBuf::from(std::env::var("YINXIN_CORPUS").unwrap_or_else(|_| "../shared/corpus".into()));
    corpus.join("INDEX.tsv").is_file().then_some(corpus)
}

#[test]
fn foreign_packages_are_opened_and_unpacked() {
    let Some(corpus) = corpus() else { return };
    let index = std::fs::read_to_string(corpus.join("INDEX.tsv")).unwrap();
    for line in index.lines().filter(|line| line.split('\t').nth(1).is_some_and(|kind| kind.starts_with("ofd"))) {
        let file = line.split('\t').next().unwrap();
        let bytes = std::fs::read(corpus.join(file)).unwrap();
        match Package::open(&bytes) {
            Ok(package) => {
                let broken: Vec<_> = package.entries().iter().filter_map(|e| package.unpack(e).err().map(|why| (e.name.clone(), why))).collect();
                eprintln!("{} files {broken:?} {file}", package.entries().len());
            }
            Err(why) => eprintln!("REFUSED {why}: {file}"),
        }
    }
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    for bytes in [&b""[..], b"PK", &[0; 100]] {
        assert_eq!(Package::open(bytes).unwrap_err(), PackageFault::NotZip);
    }
}
