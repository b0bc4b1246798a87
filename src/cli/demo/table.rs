//! What was expected and what was seen, line by line and as a table at the end.

use crate::cli::rooms::print;

/// The demonstration's expectations, in order.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<Row>);

#[derive(Debug)]
struct Row {
    what: String,
    expected: String,
    seen: String,
}

impl Row {
    fn held(&self) -> bool {
        self.expected == self.seen
    }
}

impl Table {
    /// Notes an expectation with what was seen, and prints it.
    pub fn expect(&mut self, what: impl Into<String>, expected: impl Into<String>, seen: impl Into<String>) {
        let row = Row { what: what.into(), expected: expected.into(), seen: seen.into() };
        let mark = if row.held() { "✓" } else { "✗" };
        print(&format!("  {mark} {}：{}", row.what, row.seen));
        self.0.push(row);
    }

    /// Prints the table; whether every line held.
    pub fn close(&self) -> bool {
        let wide = self.0.iter().map(|row| width(&row.what)).max().unwrap_or(0);
        let middle = self.0.iter().map(|row| width(&row.expected)).max().unwrap_or(0);
        print(&format!("\n  {}  {}  {}", pad("项目 / what", wide + 2), pad("预期 / expected", middle), "实际 / seen"));
        for row in &self.0 {
            let mark = if row.held() { "✓" } else { "✗" };
            let seen = if row.held() { "=" } else { &row.seen };
            print(&format!("  {mark} {}  {}  {seen}", pad(&row.what, wide), pad(&row.expected, middle)));
        }
        let broken = self.0.iter().filter(|row| !row.held()).count();
        match broken {
            0 => print(&format!("\n✓ {}项预期全部符合 / all expectations held", self.0.len())),
            _ => print(&format!("\n✗ {}项预期中有{broken}项不符 / {broken} expectation(s) did not hold", self.0.len())),
        }
        broken == 0
    }
}

/// Columns on a terminal: Chinese characters and their punctuation take two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if u32::from(c) >= 0x2E80 || matches!(c, '“' | '”') { 2 } else { 1 }).sum()
}

fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broken_line_breaks_the_table() {
        let mut table = Table::default();
        table.expect("a", "1", "1");
        assert!(table.close());
        table.expect("b", "1", "2");
        assert!(!table.close());
        assert_eq!(pad("印a", 5), "印a  ");
    }
}
