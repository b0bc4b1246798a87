//! PDF (ISO 32000-1): read as it lies, sealed by an update over the tail, judged by its revisions.
//!
//! The reader ([`mod@file`]) keeps byte offsets and revisions, loads an object when it is asked for and repairs nothing. On
//! it stand sealing ([`seal`]), verification ([`signatures`], [`changes`]) and finding a word on a page ([`text`]).
//!
//! A file that is encrypted and asks for no password is judged as its readers see it (`encryption`), and never sealed.
//!
//! Absent: passwords (a file that needs one is judged only as far as its signatures are plain), repair (a broken file is
//! looked at a second time and never passed), any rewriting of what was already in the file, and the painting of pages.

use crate::message::Message;

pub mod appearance;
pub mod changes;
pub mod file;
pub mod form;
pub mod long_term;
pub mod object;
pub mod page;
pub mod seal;
pub mod signatures;
pub mod source;
pub mod text;
pub mod validation;

mod encryption;
mod filter;
mod font;
mod info;
mod lex;
mod matrix;
mod operators;
mod piece;
mod reach;
mod second;
mod sweep;
mod update;
pub mod xref;

/// What keeps a PDF from being read or sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub enum PdfError {
    /// No `%PDF-` at the start.
    NotPdf,
    /// The medium failed; the file itself may be good.
    Unread(std::io::ErrorKind),
    /// The trailer has /Encrypt, and the file should be sealed.
    Encrypted,
    /// The empty user password does not open it.
    NeedsPassword,
    /// Its /Encrypt is not the standard handler's, or one that viewers may take differently.
    UnknownProtection,
    /// `what` at byte `at` is against ISO 32000.
    Broken { at: usize, what: &'static str },
    /// More of `what` than `limits.rs` takes.
    OverLimit { what: &'static str, limit: u64 },
    /// The page tree has no page.
    NoPages,
    /// Page `asked` (from 1) of `pages`.
    NoSuchPage { asked: u32, pages: u32 },
    /// The seal would not stand wholly on this page (from 0), or its strip not wholly at the edge.
    OutsidePage { page: u32, width_mm: u32, height_mm: u32 },
    /// A straddle seal needs two pages.
    NoStraddle,
    /// What one signature shows at several places is drawn into pages, which an earlier signature has closed.
    PagesSigned,
    /// A certification signature must be the first (ISO 32000-1 §12.8.2.2).
    AlreadySigned,
    /// The author certified the file (DocMDP), and a new signature field would break that: at level 1 nothing may
    /// come, at level 2 only fields that already exist may be signed, and at level 3 verifiers disagree.
    ClosedByCertification { level: i64 },
    /// An earlier signature locked the form fields (FieldMDP, or /Lock with P=1).
    ClosedByLock,
    /// The CMS does not fit into the hole left for it.
    HoleTooSmall { need: usize, have: usize },
    /// Evidence and document time stamps belong to signatures, and there is none.
    NotSigned,
    /// What should fill the hole is not one DER value.
    NotCms,
    /// Stored bytes and hole do not belong together.
    NotPrepared { what: &'static str },
}

impl PdfError {
    /// What to tell the person who brought the file.
    pub fn message(&self) -> Message {
        match self {
            Self::NotPdf => Message::new(
                "pdf.not-a-pdf",
                "文件不是PDF。请提供PDF文件。",
                "The file is not a PDF. Supply a PDF file.",
            ),
            Self::Unread(kind) => Message::new(
                "pdf.unread",
                format!("读取文件时出错（{kind}）。请检查磁盘后重试。"),
                format!("The file could not be read ({kind}). Check the disk and try again."),
            ),
            Self::Encrypted => Message::new(
                "pdf.encrypted",
                "文件已加密。请先解除密码保护，再重新提交。",
                "The file is encrypted. Remove the password protection and submit it again.",
            ),
            Self::NeedsPassword => Message::new(
                "pdf.needs-password",
                "文件须用口令打开（或其加密数据已损坏），因此其内容和签章未能判断；这不表示文件被改动过。",
                "The file needs a password to be opened (or what it says of its encryption is damaged), so what it shows and its seals could not be judged; that does not mean that it was changed.",
            ),
            Self::UnknownProtection => Message::new(
                "pdf.unknown-protection",
                "文件使用了本程序不能读取的保护方式（如数字证书加密），因此其内容和签章未能判断；这不表示文件被改动过。",
                "The file is protected in a way that cannot be read here (such as for holders of certificates), so what it shows and its seals could not be judged; that does not mean that it was changed.",
            ),
            Self::Broken { at, what } => {
                // Where the place is inside something unpacked, no byte of the file can be named.
                let (zh, en) = match at {
                    0 => (String::new(), String::new()),
                    at => (format!("字节{at}处，"), format!("at byte {at}, ")),
                };
                Message::new(
                    "pdf.broken",
                    format!("文件结构损坏（{zh}{what}）。请用原软件重新导出PDF后再提交。"),
                    format!("The file's structure is broken ({en}{what}). Export the PDF again and submit that."),
                )
            }
            Self::OverLimit { what, limit } => Message::new(
                "pdf.over-limit",
                format!("文件超出处理上限（{what}，上限{limit}）。请拆分或压缩后再提交。"),
                format!(
                    "The file is beyond what is taken ({what}, at most {limit}). Split or compress it and submit again."
                ),
            ),
            Self::NoPages => Message::new(
                "pdf.no-pages",
                "文件没有页面，无处用印。请检查导出设置。",
                "The file has no pages to seal. Check how it was exported.",
            ),
            Self::NoSuchPage { asked, pages } => Message::new(
                "pdf.no-such-page",
                format!("文件共{pages}页，没有第{asked}页。请重新指定用印页。"),
                format!("The file has {pages} pages, there is no page {asked}. Name another page."),
            ),
            Self::OutsidePage { page, width_mm, height_mm } => Message::new(
                "pdf.outside-page",
                format!("印章位置超出第{}页页面（{width_mm}×{height_mm}毫米）。请调整位置。", page.saturating_add(1)),
                format!(
                    "The seal would stand outside page {} ({width_mm} x {height_mm} mm). Move it.",
                    page.saturating_add(1)
                ),
            ),
            Self::NoStraddle => Message::new(
                "pdf.no-straddle",
                "只有一页的文件不能加盖骑缝章。请改用普通盖章。",
                "A document of one page has no straddle seal. Set an ordinary one.",
            ),
            Self::PagesSigned => Message::new(
                "pdf.pages-signed",
                "文件已有签章，骑缝章和第二处印章会改动其页面，使该签章失效。请只盖一处，或改用OFD文件，或在未签章的原件上先盖。",
                "The file is sealed already; a straddle seal or a second place would change its pages and break that seal. Set one seal at one place, use an OFD, or seal the unsigned original first.",
            ),
            Self::AlreadySigned => Message::new(
                "pdf.already-signed",
                "文件已有签名，不能再作认证签名。请改用普通签章，或提交未签名的原件。",
                "The file is already signed, so it cannot be certified. Seal it as an approval, or supply the unsigned original.",
            ),
            Self::ClosedByCertification { level } => Message::new(
                "pdf.closed-by-certification",
                format!(
                    "文件已由作者作认证签名（DocMDP {level}），新增签章会使其失效。请出文单位在制作时选择“还要加盖其他单位的印章”，或提交未认证的原件。"
                ),
                format!(
                    "The author certified the file (DocMDP {level}); a new seal would break that. Have it made open to further seals (more_seals), or supply the original before its certification."
                ),
            ),
            Self::ClosedByLock => Message::new(
                "pdf.closed-by-lock",
                "文件已有签名锁定了全部表单域，不能再加签章。请提交未锁定的原件。",
                "An earlier signature locked the form fields, so no seal can be added. Supply the original that is not locked.",
            ),
            Self::HoleTooSmall { need, have } => Message::new(
                "pdf.hole-too-small",
                format!("签名数据{need}字节，超出预留的{have}字节。请联系系统管理员加大预留。"),
                format!(
                    "The signature takes {need} bytes, {have} were reserved. Ask the administrator to reserve more."
                ),
            ),
            Self::NotSigned => Message::new(
                "pdf.not-signed",
                "文件没有签名，无可附加的验证数据。请先用印。",
                "The file has no signature that evidence could be added for. Seal it first.",
            ),
            Self::NotCms => Message::new(
                "pdf.not-cms",
                "待写入的签名数据不是完整的DER结构。请联系系统管理员。",
                "What should be written as the signature is not one DER value. Tell the administrator.",
            ),
            Self::NotPrepared { what } => Message::new(
                "pdf.not-prepared",
                format!("保存的待签文件前后不一致（{what}）。请重新发起用印。"),
                format!(
                    "The stored document waiting for its signature contradicts itself ({what}). Start the sealing again."
                ),
            ),
        }
    }
}
