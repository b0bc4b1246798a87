//! An OFD package from a stranger: opened, unpacked, its signatures read, its pages drawn. Once with the archive's frame as it comes, once with
//! the bytes as an XML file of their own, which mutation of a whole archive seldom reaches.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yinxin::ofd::draw::draw;
use yinxin::ofd::package::Package;
use yinxin::ofd::reading::Reading;
use yinxin::ofd::signatures::located;
use yinxin::ofd::xml::Node;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(package) = Package::open(bytes) {
        for entry in package.entries().iter().filter(|entry| entry.size < 1 << 20) {
            if let Ok(unpacked) = package.unpack(entry) {
                assert_eq!(unpacked.len(), entry.size);
            }
        }
    }
    Reading::of(bytes).ok();
    draw(bytes, 2).ok();
    Node::read(bytes).ok();
    if let Ok(place) = std::str::from_utf8(bytes)
        && let Some(path) = located("Doc_0/Signs/Signatures.xml", place)
    {
        assert!(path.split('/').all(|step| !matches!(step, "" | "." | "..")));
    }
});
