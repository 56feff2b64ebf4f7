//! Rows as upstream's dumps have them: cells end with a comma, and columns are padded with spaces (Go's text/tabwriter with a
//! least width of 8 and a padding of 1).

const WIDTH_MIN: usize = 8;

/// All rows have as many cells as the first.
pub(super) fn tabulate(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, |row| row.len().saturating_sub(1));
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        // The comma and one space.
        cells.map(|cell| cell.chars().count() + 2).max().unwrap_or(0).max(WIDTH_MIN)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (place, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if let Some(width) = widths.get(place) {
                text.push(',');
                let len = cell.chars().count() + 1;
                text.extend(std::iter::repeat_n(' ', width.saturating_sub(len)));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["PriorityLevelName", "Index", "Last"], ["exempt", "0", "a longer last one"]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        let text = "PriorityLevelName, Index,  Last\nexempt,            0,      a longer last one\n";
        assert_eq!(tabulate(&rows), text);
    }
}
