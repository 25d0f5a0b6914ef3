//! Tables for terminals: aligned columns, no lines.

use super::Style;

/// Rows of cells under headings.
#[derive(Clone, Debug)]
pub struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(heads: &[&'static str]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty, extra ones are shown without a heading.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text, each line with its newline.
    pub fn render(&self, style: Style) -> String {
        let columns =
            self.rows.iter().map(Vec::len).chain([self.heads.len()]).max().unwrap_or_default();
        let head = |c: usize| self.heads.get(c).copied().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|c| {
                let cells = self.rows.iter().filter_map(|r| r.get(c)).map(|t| visible_width(t));
                cells.chain([head(c).len()]).max().unwrap_or_default()
            })
            .collect();
        let heads: Vec<String> = (0..columns).map(|c| style.bold(head(c))).collect();
        let mut out = String::new();
        for cells in std::iter::once(&heads).chain(&self.rows) {
            let mut line = String::new();
            for (c, width) in widths.iter().enumerate() {
                let text = cells.get(c).map(String::as_str).unwrap_or_default();
                line.push_str(text);
                line.extend(std::iter::repeat_n(' ', width - visible_width(text) + 2));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// Characters a terminal shows: colour codes count nothing.
fn visible_width(text: &str) -> usize {
    let mut width = 0;
    let mut escape = false;
    for c in text.chars() {
        match c {
            '\x1b' => escape = true,
            'm' if escape => escape = false,
            _ if !escape => width += 1,
            _ => {}
        }
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_with_and_without_colour() {
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row(["nats".to_owned(), "ready".to_owned()]);
        table.row(["pocketbase".to_owned(), String::new()]);
        assert_eq!(
            table.render(Style::new(false)),
            "NAME        STATE\nnats        ready\npocketbase\n"
        );
        let coloured = Style::new(true);
        let mut table = Table::new(&["A", "B"]);
        table.row([coloured.green("x"), "y".to_owned()]);
        assert!(table.render(coloured).ends_with("\x1b[32mx\x1b[0m  y\n"));
    }
}
