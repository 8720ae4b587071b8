//! A report as one page: style and drawings inside, no script, nothing
//! fetched. It follows the reader's light or dark setting and fits a phone.

pub mod plot;

/// The whole page.
pub fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
         <title>{title}</title><style>{style}</style></head>\n\
         <body>{body}</body></html>\n",
        title = escape(title),
        style = include_str!("page.css"),
    )
}

/// A table that scrolls sideways where it does not fit.
pub fn table(caption: &str, heads: &[String], rows: &[Vec<String>]) -> String {
    let heads: String = heads.iter().map(|head| cell("th", head)).collect();
    let rows: String = rows
        .iter()
        .map(|row| {
            let cells: String = row.iter().map(|text| cell("td", text)).collect();
            format!("<tr>{cells}</tr>")
        })
        .collect();
    format!(
        "<div class=\"wide\"><table><caption>{}</caption><thead><tr>{heads}</tr></thead>\
         <tbody>{rows}</tbody></table></div>",
        escape(caption)
    )
}

/// A cell of a table: `th` or `td`.
pub fn cell(tag: &str, text: &str) -> String {
    format!("<{tag}>{}</{tag}>", escape(text))
}

/// The class of the nth colour.
pub fn colour(n: usize) -> String {
    format!("c{}", n % COLOURS)
}

/// Text that means itself in HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Classes c0, c1 and so on in page.css.
const COLOURS: usize = 9;
