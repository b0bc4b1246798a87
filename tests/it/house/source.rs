//! Just enough reading of Rust to list the paths a file names: no types, no macros, no names brought by a glob.

/// Where a file stands: its module path under the crate.
pub struct Place {
    modules: Vec<String>,
}

impl Place {
    /// `src/pdf/seal.rs` and `src/pdf/seal/mod.rs` are both `pdf::seal`; `lib.rs` and `main.rs` are the crate itself.
    pub fn of(file: &str) -> Self {
        let path = file.trim_start_matches("src/").trim_end_matches(".rs");
        let mut modules: Vec<String> = path.split('/').map(str::to_owned).collect();
        if modules.last().is_some_and(|last| last == "mod") || path == "lib" || path == "main" {
            modules.pop();
        }
        Self { modules }
    }

    pub fn room(&self) -> Option<&str> {
        self.modules.first().map(String::as_str)
    }

    pub fn is_part(&self, room: &str, part: &str) -> bool {
        self.modules.first().is_some_and(|first| first == room)
            && self.modules.get(1).is_some_and(|second| second == part)
    }
}

/// The text with comments, strings and characters blanked out; lines and columns stay.
pub fn without_text(source: &str) -> String {
    let mut blanked = String::with_capacity(source.len());
    let mut rest = source;
    let mut after_name = false;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => quoted(rest),
            'r' | 'b' | 'c' if !after_name => prefixed_string(rest).unwrap_or(0),
            '\'' => character(rest).unwrap_or(0),
            _ => 0,
        };
        let blank = length > 0;
        let length = length.max(c.len_utf8());
        for c in rest[..length].chars() {
            blanked.push(if blank && c != '\n' { ' ' } else { c });
        }
        after_name = !blank && (c.is_alphanumeric() || c == '_');
        rest = &rest[length..];
    }
    blanked
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// A string from its opening quote to its closing one.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// `r"…"`, `r#"…"#`, `b"…"`, `br#"…"#`, `c"…"`, `b'…'`; none for a name that only begins with such a letter.
fn prefixed_string(text: &str) -> Option<usize> {
    let letters = text.bytes().take_while(|b| b"rbc".contains(b)).count().min(2);
    let raw = text[..letters].contains('r');
    let after = &text[letters..];
    if raw {
        let hashes = after.bytes().take_while(|b| *b == b'#').count();
        let body = after[hashes..].strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let end = body.find(&close).map_or(body.len(), |at| at + close.len());
        return Some(letters + hashes + 1 + end);
    }
    match after.bytes().next()? {
        b'"' => Some(letters + quoted(after)),
        b'\'' => Some(letters + character(after)?),
        _ => None,
    }
}

/// A character from quote to quote; none for a lifetime or a label.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        chars.next();
        return chars.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1);
    }
    chars.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
}

const MARK: &str = "#[cfg(test)]";

/// The blanked text without what stands under `#[cfg(test)]`: the next item, to its `;` or its closing brace.
pub fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        kept.push_str(&rest[..at]);
        let item = &rest[at..];
        let mut depth = 0;
        let end = item[MARK.len()..].char_indices().find(|(_, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0 && (*c == ';' || *c == '}')
        });
        let length = end.map_or(item.len(), |(at, _)| MARK.len() + at + 1);
        kept.extend(item[..length].chars().filter(|c| *c == '\n'));
        rest = &item[length..];
    }
    kept + rest
}

/// Test modules in files of their own that `file` declares (`#[cfg(test)] mod trial;`): where they stand, without `.rs`.
pub fn test_modules(file: &str, code: &str) -> Vec<String> {
    let beside = file.trim_end_matches(".rs").trim_end_matches("/mod").trim_end_matches("/lib");
    let declared = code.split(MARK).skip(1).filter_map(|item| {
        let (head, _) = item.split_once(';')?;
        let name = head.split_whitespace().last()?;
        let declares = head.split_whitespace().rev().nth(1) == Some("mod");
        declares.then(|| format!("{beside}/{name}"))
    });
    declared.collect()
}

/// Every path with `::` or in a `use`, braces spread out, with its line; `super` and `self` made `crate::…`.
pub fn paths(code: &str, place: &Place) -> Vec<(usize, Vec<String>)> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    // Inline modules that are open at this point, each with the depth of the braces around it.
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        let (line, token) = &tokens[at];
        match token.as_str() {
            "mod" if tokens.get(at + 2).is_some_and(|(_, next)| next == "{") => {
                inline.push((tokens[at + 1].1.clone(), depth));
                at += 2;
            }
            "{" => (depth, at) = (depth + 1, at + 1),
            "}" => {
                depth = depth.saturating_sub(1);
                inline.pop_if(|(_, outside)| *outside == depth);
                at += 1;
            }
            _ if is_name(token) => {
                let mut spread = Vec::new();
                at = tree(&tokens, at, &[], &mut spread);
                let inside: Vec<_> = place.modules.iter().chain(inline.iter().map(|(name, _)| name)).cloned().collect();
                let resolved = spread.into_iter().filter(|path| path.len() > 1).map(|path| resolve(path, &inside));
                found.extend(resolved.map(|path| (*line, path)));
            }
            _ => at += 1,
        }
    }
    found
}

/// Reads one use tree from a name on and returns where it ends.
fn tree(tokens: &[(usize, String)], mut at: usize, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    while let Some((_, token)) = tokens.get(at) {
        if !is_name(token) && token != "*" {
            break;
        }
        path.push(token.clone());
        at += 1;
        if tokens.get(at).is_none_or(|(_, next)| next != "::") {
            break;
        }
        at += 1;
        if tokens.get(at).is_some_and(|(_, next)| next == "{") {
            at += 1;
            while tokens.get(at).is_some_and(|(_, next)| next != "}") {
                let next = tree(tokens, at, &path, found);
                // `as Name`, commas, and whatever is not a path inside the braces.
                at = if next == at { at + 1 } else { next };
                if tokens.get(at).is_some_and(|(_, next)| next == "as") {
                    at += 2;
                }
            }
            return at + 1;
        }
    }
    found.push(path);
    at
}

fn resolve(path: Vec<String>, inside: &[String]) -> Vec<String> {
    let ups = path.iter().take_while(|step| *step == "super").count();
    let own = path.first().is_some_and(|step| step == "self");
    if ups == 0 && !own {
        return path;
    }
    let kept = inside.len().saturating_sub(ups);
    let rest = &path[ups.max(usize::from(own))..];
    std::iter::once(&"crate".to_owned()).chain(&inside[..kept]).chain(rest).cloned().collect()
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::` and single signs, each with its line.
fn tokens(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(code.lines()) {
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = if rest.starts_with("::") { 2 } else { name.max(c.len_utf8()) };
            if !c.is_whitespace() {
                found.push((number, rest[..length].to_owned()));
            }
            rest = &rest[length..];
        }
    }
    found
}
