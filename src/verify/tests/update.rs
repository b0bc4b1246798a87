//! A document with something for each attack to aim at, and updates to it as anyone may write them.

use std::fmt::Write as _;

/// Two pages, a form, layers, files, notes and tags: something for each attack to aim at. What an object is for stands
/// behind it.
const DRAFT: &[&str] = &[
    /* 1 */
    "<</Type/Catalog/Version/1.7/Extensions<</E[<</BaseVersion/1.7>>]>>/Pages 2 0 R/AcroForm 6 0 R/OCProperties 21 0 R/Outlines 22 0 R/Names 23 0 R\
     /StructTreeRoot 24 0 R/MarkInfo<</Marked true>>/Metadata 30 0 R/OpenAction[3 0 R/Fit]/Private 12 0 R>>",
    "<</Type/Pages/Kids[3 0 R 31 0 R]/Count 2/MediaBox[0 0 595 842]/Resources<<>>>>",
    "<</Type/Page/Parent 2 0 R/Contents 4 0 R/StructParents 0/Annots 32 0 R/Resources<</Font<</F 5 0 R>>\
     /XObject<</X 12 0 R/W 47 0 R/Y 51 0 R>>/Properties<</L 33 0 R>>/ColorSpace<</C 34 0 R>>/ExtGState<</G 35 0 R>>>>>>",
    "<</Length 20 0 R>>\nstream\nBT /F 24 Tf 72 700 Td (Pay one hundred yuan) Tj ET /X Do 9 0 0 9 150 110 cm /Y Do\nendstream",
    "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding 36 0 R>>",
    /* 6: the form */
    "<</Fields[7 0 R 8 0 R 9 0 R 10 0 R 47 0 R 48 0 R 39 0 R 52 0 R]/DA(/F 12 Tf)/DR<</Font 16 0 R>>/Q 37 0 R>>",
    "<</Type/Annot/Subtype/Widget/FT/Tx/T(amount)/Rect[72 600 272 620]/F 4/P 3 0 R/BS<</W 0>>/DA(/Y 9 Tf)/V()/AP<</N 11 0 R>>>>",
    "<</Type/Annot/Subtype/Widget/FT/Tx/T(note)/Rect[72 560 272 580]/F 4/P 3 0 R/DA(/Z 9 Tf)/V(old)/AP<</N 12 0 R>>>>",
    "<</Type/Annot/Subtype/Widget/FT/Sig/T(counter)/Rect[72 500 172 540]/F 4/P 3 0 R/AP 38 0 R>>",
    "<</Type/Annot/Subtype/Widget/FT/Btn/T(agree)/Rect[300 600 312 612]/F 4/P 3 0 R/AS/Off\
     /AP<</N<</Yes 13 0 R/Off 14 0 R>>/D<</Yes 14 0 R/Off 14 0 R>>>>>>",
    /* 11: pictures of fields; 12 is drawn on the page too */
    "<</Type/XObject/Subtype/Form/BBox[0 0 200 20]/Length 3>>\nstream\nq Q\nendstream",
    "<</Type/XObject/Subtype/Form/BBox[0 0 200 20]/Length 3>>\nstream\nq Q\nendstream",
    "<</Type/XObject/Subtype/Form/BBox[0 0 12 12]/Length 17>>\nstream\n0 0 m 12 12 l S  \nendstream",
    "<</Type/XObject/Subtype/Form/BBox[0 0 12 12]/Length 3>>\nstream\nq Q\nendstream",
    "<</Type/XObject/Subtype/Form/BBox[0 0 100 40]/Length 3>>\nstream\nq Q\nendstream",
    /* 16: fonts of the form */
    "<</F 5 0 R/H 17 0 R>>",
    "<</Type/Font/Subtype/Type1/BaseFont/Courier>>",
    /* 18: notes */
    "<</Type/Annot/Subtype/Text/Rect[400 700 420 720]/Contents(see)/P 3 0 R>>",
    "<</Type/Annot/Subtype/FreeText/Rect[300 100 500 140]/Contents(void)/DA(/F 12 Tf)/P 3 0 R/AP<</N 40 0 R>>>>",
    "81",
    /* 21: layers, outlines, names */
    "<</OCGs[33 0 R]/D<</ON[33 0 R]/AS[<</Event/View/OCGs[33 0 R]>>]>>>>",
    "<</Type/Outlines>>",
    "<</EmbeddedFiles<</Names[(data)41 0 R]>>>>",
    /* 24: tags */
    "<</Type/StructTreeRoot/K[25 0 R]/ParentTree 26 0 R/ParentTreeNextKey 1>>",
    "<</Type/StructElem/S/Document/P 24 0 R/K[27 0 R]>>",
    "<</Nums[0 28 0 R]>>",
    "<</Type/StructElem/S/P/P 25 0 R/Pg 3 0 R/K 0>>",
    "[27 0 R]",
    "<</CreationDate(D:20260101)>>",
    "<</Type/Metadata/Subtype/XML/Length 11>>\nstream\n<x:xmpmeta>\nendstream",
    "<</Type/Page/Parent 2 0 R/Contents 42 0 R/Resources<<>>>>",
    "[<</Type/Annot/Subtype/Link/Rect[500 500 520 520]>>7 0 R 8 0 R 9 0 R 10 0 R 18 0 R 19 0 R 47 0 R 50 0 R 39 0 R 52 0 R]",
    "<</Type/OCG/Name(layer)>>",
    "[/Separation/Red/DeviceRGB 43 0 R]",
    "<</Type/ExtGState/ca 1>>",
    "<</Type/Encoding/Differences[65/B]>>",
    "0",
    /* 38: how the empty signature field looks */
    "<</N 15 0 R>>",
    "<</Type/Annot/Subtype/Widget/FT/Tx/T(locked)/Rect[72 450 272 470]/F 4/P 3 0 R/V(fixed)/AP<</N 44 0 R>>>>",
    "<</Type/XObject/Subtype/Form/BBox[0 0 200 40]/Resources<</Font<</F 5 0 R>>>>/Length 27>>\nstream\nBT /F 12 Tf (void) Tj ET   \nendstream",
    "<</Type/Filespec/F(data.xml)/EF<</F 45 0 R>>>>",
    "<</Length 3>>\nstream\nq Q\nendstream",
    "<</FunctionType 2/N 1/Domain[0 1]/C0[1 1 1]/C1[1 0 0]>>",
    "<</Type/XObject/Subtype/Form/BBox[0 0 200 20]/Length 3>>\nstream\nq Q\nendstream",
    "<</Type/EmbeddedFile/Length 4>>\nstream\n<a/>\nendstream",
    /* 46: drawn by nothing; 47: a field that the page takes for a list of pictures */
    "<</Type/XObject/Subtype/Form/BBox[0 0 200 20]/Length 3>>\nstream\nQ q\nendstream",
    "<</Type/Annot/Subtype/Widget/FT/Sig/T(trap)/Rect[0 0 0 0]/F 4/P 3 0 R>>",
    /* 48: a field with one below it; 50: a link */
    "<</FT/Sig/T(branch)/Kids[49 0 R]>>",
    "<</Type/Annot/Subtype/Widget/T(a)/Rect[0 0 0 0]/F 4/P 3 0 R/Parent 48 0 R>>",
    "<</Type/Annot/Subtype/Link/Rect[400 500 420 520]/P 3 0 R/A<</S/URI/URI(http://a)>>>>",
    "<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8/Length 1>>\nstream\na\nendstream",
    /* 52: a signature field over the text, hidden */
    "<</Type/Annot/Subtype/Widget/FT/Sig/T(veil)/Rect[60 690 400 730]/F 2/P 3 0 R>>",
];

pub(super) fn draft() -> Vec<u8> {
    let mut file = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", DRAFT.len() + 1);
    for (i, object) in DRAFT.iter().enumerate() {
        writeln!(table, "{:010} 00000 n ", file.len()).unwrap();
        file.extend(format!("{} 0 obj\n{object}\nendobj\n", i + 1).into_bytes());
    }
    let at = file.len();
    file.extend(table.into_bytes());
    let size = DRAFT.len() + 1;
    file.extend(format!("trailer\n<</Size {size}/Root 1 0 R/Info 29 0 R>>\nstartxref\n{at}\n%%EOF\n").into_bytes());
    file
}

/// An update that someone makes afterwards.
pub(super) struct Later {
    pub(super) base: Vec<u8>,
    pub(super) objects: Vec<(u32, String)>,
    next: u32,
    pub(super) free: Vec<u32>,
    pub(super) trailer: String,
    pub(super) root: u32,
    /// Bytes that stand in the update though no index leads to them.
    pub(super) stray: String,
}

impl Later {
    pub(super) fn on(base: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&base).into_owned();
        let (_, size) = text.rsplit_once("/Size ").unwrap();
        let next = size.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
        Self { base, objects: Vec::new(), next, free: vec![], trailer: String::new(), root: 1, stray: String::new() }
    }

    /// The object as it stands now.
    pub(super) fn get(&self, number: u32) -> String {
        if let Some((_, object)) = self.objects.iter().rev().find(|(n, _)| *n == number) {
            return object.clone();
        }
        let text = String::from_utf8_lossy(&self.base).into_owned();
        let (_, rest) = text.rsplit_once(&format!("\n{number} 0 obj\n")).unwrap();
        rest.split_once("\nendobj").unwrap().0.to_owned()
    }

    pub(super) fn set(&mut self, number: u32, object: impl Into<String>) -> &mut Self {
        self.objects.retain(|(n, _)| *n != number);
        self.objects.push((number, object.into()));
        self
    }

    pub(super) fn change(&mut self, number: u32, from: &str, to: &str) -> &mut Self {
        let object = self.get(number);
        assert!(object.contains(from), "{number} is {object}");
        self.set(number, object.replacen(from, to, 1))
    }

    pub(super) fn add(&mut self, object: impl Into<String>) -> u32 {
        let number = self.next;
        self.next += 1;
        self.objects.push((number, object.into()));
        number
    }

    pub(super) fn draw(&mut self, content: &str) -> u32 {
        self.draw_with("/Font<</F 5 0 R>>", content)
    }

    pub(super) fn draw_with(&mut self, resources: &str, content: &str) -> u32 {
        let length = content.len();
        let head = format!("<</Type/XObject/Subtype/Form/BBox[0 0 600 850]/Resources<<{resources}>>/Length {length}>>");
        self.add(format!("{head}\nstream\n{content}\nendstream"))
    }

    /// A signature that says it covers the whole; nobody checks its value here.
    pub(super) fn signature(&mut self, kind: &str) -> u32 {
        self.add(format!("<</Type/{kind}/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/ByteRange[0 AAAAAAAAAA BBBBBBBBBB CCCCCCCCCC]/Contents<3003020101>>>"))
    }

    pub(super) fn finish(&self) -> Vec<u8> {
        let mut out = self.base.clone();
        out.extend(self.stray.bytes());
        let mut entries: Vec<(u32, usize)> = Vec::new();
        for (number, object) in &self.objects {
            entries.push((*number, out.len()));
            out.extend(format!("{number} 0 obj\n{object}\nendobj\n").into_bytes());
        }
        entries.sort_unstable();
        let at = out.len();
        let mut table = String::from("xref\n0 1\n0000000000 65535 f \n");
        for (number, offset) in entries {
            write!(table, "{number} 1\n{offset:010} 00000 n \n").unwrap();
        }
        for number in &self.free {
            write!(table, "{number} 1\n0000000000 00001 f \n").unwrap();
        }
        out.extend(table.into_bytes());
        let text = String::from_utf8_lossy(&self.base).into_owned();
        let previous: usize =
            text.rsplit_once("startxref").unwrap().1.split_whitespace().next().unwrap().parse().unwrap();
        out.extend(
            format!(
                "trailer\n<</Size {}/Root {} 0 R/Prev {previous}{}>>\nstartxref\n{at}\n%%EOF\n",
                self.next, self.root, self.trailer
            )
            .into_bytes(),
        );
        self.close(out)
    }

    /// Fills in the ranges of new signatures.
    fn close(&self, mut out: Vec<u8>) -> Vec<u8> {
        let find = |out: &[u8], word: &[u8]| out.windows(word.len()).position(|w| w == word);
        while let Some(at) = find(&out, b"AAAAAAAAAA BBBBBBBBBB CCCCCCCCCC") {
            let hole = at + find(&out[at..], b"<3003020101>").unwrap();
            let end = hole + b"<3003020101>".len();
            let range = format!("{hole:010} {end:010} {:010}", out.len() - end);
            out[at..at + range.len()].copy_from_slice(range.as_bytes());
        }
        out
    }
}
