//! The trailer and the catalog: what stands above the pages.

use super::{Judge, Step, shown};
use crate::pdf::PdfError;
use crate::pdf::object::{Dict, Object};
use crate::pdf::reach::deep;

impl Judge<'_, '_, '_> {
    pub(super) fn judge_trailer(&mut self) -> Result<(), PdfError> {
        let (before, now) = (self.signed.trailer(), self.newest.trailer());
        // A new catalog in place of the old one is compared with it key by key, as a changed one is; an object that
        // was something else before is not a catalog.
        if before.get(b"Root") != now.get(b"Root") {
            match now.get(b"Root").and_then(Object::reference) {
                Some(root) if self.at.is_new(root.number) => {
                    self.explained.insert(root.number);
                }
                _ => {
                    let (zh, en) = ("文件目录（Root）被换成了另一个", "The catalog (Root) was exchanged for another");
                    self.forbid("pdf.catalog-exchanged", zh, en);
                }
            }
        }
        // The information dictionary says when and with what the update was made; it is not shown on a page.
        let info = self.newest.get(now, b"Info")?;
        if info.dict().is_some_and(is_plain) {
            self.explain(now.get(b"Info"), before.get(b"Info"), &[b"Info"]);
        }
        // §7.5.5 names these, and a cross-reference stream brings its own (§7.5.8.2). Other keys are one writer's, but
        // one program shows a stream behind such a key in place of the pages (LibreOffice, /AdditionalStreams).
        const KNOWN: [&[u8]; 14] = [
            b"Root",
            b"Info",
            b"ID",
            b"Size",
            b"Prev",
            b"XRefStm",
            b"Type",
            b"W",
            b"Index",
            b"Length",
            b"Filter",
            b"DecodeParms",
            b"DL",
            b"Encrypt",
        ];
        for entry in now.entries().iter().filter(|e| deep(&e.value) && !KNOWN.contains(&&*e.key)) {
            let mut waiting = vec![entry.value.clone()];
            while let Some(object) = waiting.pop() {
                if let Object::Array(items) = &object {
                    waiting.extend(items.iter().filter(|o| deep(o)).take(64).cloned());
                }
                let Some(number) = object.reference().map(|r| r.number) else { continue };
                let stream = matches!(self.newest.resolve(&object)?, Object::Stream(_));
                if stream && (self.changed.contains(number) || before.get(&entry.key) != Some(&entry.value)) {
                    let key = shown(&entry.key);
                    let zh = format!("文件尾部/{key}新增了内嵌内容");
                    let en = format!("The trailer's /{key} leads to content that was added later");
                    self.doubt("pdf.embedded-file-changed", &zh, &en);
                }
            }
        }
        Ok(())
    }

    pub(super) fn judge_catalog(&mut self) -> Result<(), PdfError> {
        let (before, now) = (self.signed.catalog()?, self.newest.catalog()?);
        let (Some(old), Some(new)) = (before.object.dict(), now.object.dict()) else { return Ok(()) };
        if now.object.dict().is_some_and(|d| d.doubled().is_some()) {
            let (zh, en) = ("文件目录中有重复的键", "A key is written twice in the catalog");
            self.doubt("pdf.key-twice", zh, en);
        }
        for key in self.differing(old, new)? {
            self.judge_catalog_key(&key, old, new)?;
        }
        // What is the same by meaning may be written anew, as an object of its own.
        for entry in new.entries() {
            let same = old.get(&entry.key).map(|old| self.alike(old, &entry.value, 8)).transpose()?;
            if same == Some(true) {
                self.explain_new(&entry.value)?;
            }
        }
        if before.reference == now.reference {
            self.explained.insert(now.reference.number);
        }
        // The same object, with parts of it become objects of their own.
        if let Some(r) =
            new.get(b"OCProperties").and_then(Object::reference).filter(|r| self.changed.contains(r.number))
            && let (Some(was), Some(is)) = (self.signed.load(r)?, self.newest.load(r)?)
            && self.alike(&was.object, &is.object, 8)?
        {
            self.explain_known(r.number, |way| &*way.keys[1] == b"OCProperties");
            for entry in is.object.dict().map(Dict::entries).unwrap_or_default() {
                self.explain_new(&entry.value)?;
            }
        }
        self.judge_extensions(old, new)?;
        // XMP metadata follows the information dictionary.
        if let Object::Stream(metadata) = self.newest.get(new, b"Metadata")?
            && metadata.dict.is(b"Type", b"Metadata")
            && metadata.dict.is(b"Subtype", b"XML")
        {
            self.explain(new.get(b"Metadata"), old.get(b"Metadata"), &[b"Metadata"]);
        }
        self.judge_validation_data(old, new)
    }

    fn judge_catalog_key(&mut self, key: &[u8], old: &Dict, new: &Dict) -> Result<(), PdfError> {
        let name = shown(key);
        let (zh, en) = (format!("文件目录的/{name}被修改"), format!("/{name} of the catalog was changed"));
        match key {
            // Each has its own judge.
            b"AcroForm" | b"DSS" | b"Extensions" | b"Metadata" | b"StructTreeRoot" => {}
            b"Version" => {
                // §7.2.2 of ISO 32000-2: of what an update uses, which each writer says as far as it knows.
                let version = new.get(key).and_then(Object::name);
                if !version.is_some_and(|v| matches!(v, [b'1' | b'2', b'.', b'0'..=b'9'])) {
                    self.doubt("pdf.catalog-changed", &zh, &en);
                }
            }
            b"MarkInfo" => {
                let value = self.newest.get(new, key)?;
                if value.dict().is_some_and(is_plain) {
                    self.explain(new.get(key), old.get(key), &[b"MarkInfo"]);
                    self.allow(
                        Step::Validation,
                        "更新了标签说明（MarkInfo）",
                        "The tagging notice (MarkInfo) was updated",
                    );
                } else {
                    self.doubt("pdf.catalog-changed", &zh, &en);
                }
            }
            b"Pages" => {
                let (zh, en) = ("页面树被换成了另一个", "The page tree was exchanged for another");
                self.forbid("pdf.page-tree-changed", zh, en);
            }
            b"OpenAction" | b"AA" => self.forbid("pdf.action-changed", &zh, &en),
            b"OCProperties" => self.forbid("pdf.layers-changed", &zh, &en),
            b"Names" | b"AF" => self.forbid("pdf.names-changed", &zh, &en),
            b"Dests" | b"PageLabels" | b"Outlines" | b"Collection" => self.forbid("pdf.catalog-changed", &zh, &en),
            b"Perms" if old.get(key).is_some() => self.forbid("pdf.permissions-changed", &zh, &en),
            b"Perms" => self.doubt("pdf.permissions-changed", &zh, &en),
            _ => self.doubt("pdf.catalog-changed", &zh, &en),
        }
        Ok(())
    }

    /// Developer extensions (ISO 32000-1 §7.12) are names and numbers; each may be an object of its own.
    fn judge_extensions(&mut self, old: &Dict, new: &Dict) -> Result<(), PdfError> {
        let before = self.signed.get_dict(old, b"Extensions")?.unwrap_or_else(Dict::empty);
        let now = self.newest.get_dict(new, b"Extensions")?.unwrap_or_else(Dict::empty);
        self.explain(new.get(b"Extensions"), old.get(b"Extensions"), &[b"Extensions"]);
        let mut plain = true;
        for entry in now.entries() {
            self.explain(Some(&entry.value), before.get(&entry.key), &[&entry.key]);
            plain &= match self.newest.resolve(&entry.value)? {
                Object::Dict(dict) => is_plain(&dict),
                // ISO 32000-2 §7.12.2: several levels of one developer.
                Object::Array(levels) => {
                    let mut plain = true;
                    for level in levels.iter() {
                        plain &= self.newest.resolve(level)?.dict().is_some_and(is_plain);
                        self.explain_new(level)?;
                    }
                    plain
                }
                other => &*entry.key == b"Type" && other.name().is_some(),
            };
        }
        if !plain {
            let (zh, en) = ("文件目录的/Extensions被修改", "/Extensions of the catalog was changed");
            self.doubt("pdf.catalog-changed", zh, en);
        }
        Ok(())
    }

    /// DSS and VRI (EN 319 142-1 §5.4.2): certificates, CRLs and OCSP responses, shown nowhere.
    fn judge_validation_data(&mut self, old: &Dict, new: &Dict) -> Result<(), PdfError> {
        let Some(dss) = self.newest.get_dict(new, b"DSS")? else {
            if old.get(b"DSS").is_some() {
                let (zh, en) = ("验证数据（DSS）被删除", "The validation data (DSS) were removed");
                self.doubt("pdf.validation-data-removed", zh, en);
            }
            return Ok(());
        };
        const KEYS: [&[u8]; 5] = [b"Type", b"Certs", b"CRLs", b"OCSPs", b"VRI"];
        if dss.entries().iter().any(|e| !KEYS.contains(&&*e.key)) {
            let (zh, en) = ("验证数据（DSS）含有不认识的项目", "The validation data (DSS) hold something unknown");
            self.doubt("pdf.validation-data-unknown", zh, en);
        }
        let old_dss = self.signed.get_dict(old, b"DSS")?;
        let marked = self.explained.len();
        self.explain(new.get(b"DSS"), old.get(b"DSS"), &[b"DSS"]);
        let mut lost = false;
        for key in KEYS {
            let before = old_dss.as_ref().map(|old| self.signed.get(old, key)).transpose()?;
            let now = self.newest.get(&dss, key)?;
            // Other values of the same kind may take the place of outdated ones (EN 319 142-1 §5.4.2.3), fewer may not.
            lost |= match (&before, &now) {
                (Some(Object::Array(before)), now) => now.array().is_none_or(|now| now.len() < before.len()),
                (Some(Object::Dict(before)), now) => {
                    now.dict().is_none_or(|now| before.entries().iter().any(|e| now.get(&e.key).is_none()))
                }
                _ => false,
            };
            self.explain(dss.get(key), old_dss.as_ref().and_then(|d| d.get(key)), &[key]);
            self.explain_new(&now)?;
        }
        if lost {
            let (zh, en) = ("原有的验证数据（DSS）被删减", "Validation data (DSS) that were there before are missing");
            self.doubt("pdf.validation-data-removed", zh, en);
        }
        self.judge_vri(old_dss.as_ref(), &dss)?;
        if (old.get(b"DSS") != new.get(b"DSS") || self.explained.len() > marked) && self.explained.meets(&self.changed)
        {
            self.allow(Step::Validation, "添加了验证数据（DSS）", "Validation data (DSS) were added");
        }
        Ok(())
    }

    /// Entries of /VRI, and the lists in them, which may be objects of their own that an update writes anew.
    fn judge_vri(&mut self, old: Option<&Dict>, new: &Dict) -> Result<(), PdfError> {
        const LISTS: [&[u8]; 6] = [b"Cert", b"CRL", b"OCSP", b"Type", b"TU", b"TS"];
        let Some(now) = self.newest.get_dict(new, b"VRI")? else { return Ok(()) };
        let before =
            old.map(|old| self.signed.get_dict(old, b"VRI")).transpose()?.flatten().unwrap_or_else(Dict::empty);
        for entry in now.entries() {
            self.at.history.pay(1)?;
            let previous = before.get(&entry.key);
            self.explain(Some(&entry.value), previous, &[&entry.key]);
            let Object::Dict(vri) = self.newest.resolve(&entry.value)? else { continue };
            if vri.entries().iter().any(|e| !LISTS.contains(&&*e.key)) {
                let (zh, en) = ("验证数据（VRI）含有不认识的项目", "The validation data (VRI) hold something unknown");
                self.doubt("pdf.validation-data-unknown", zh, en);
            }
            let previous = previous.map(|p| self.signed.resolve(p)).transpose()?;
            let previous = previous.as_ref().and_then(Object::dict);
            for list in vri.entries() {
                self.explain(Some(&list.value), previous.and_then(|p| p.get(&list.key)), &[&list.key]);
            }
        }
        Ok(())
    }
}

/// Names, numbers and texts, and nothing that leads further.
pub(super) fn is_plain(dict: &Dict) -> bool {
    dict.entries().iter().all(|e| !deep(&e.value))
}
