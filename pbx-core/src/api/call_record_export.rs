//! Call records as a table for a spreadsheet (RFC 4180), a piece at a time: however many there are, few are in memory.
//!
//! UTF-8 with its mark, as spreadsheets want it. In French the fields are parted by semicolons and the decimals by a comma, as French
//! spreadsheets read them; in English by commas and a point. Moments are those of the house's clock, without its offset.

use pbx_sip::clock::Wall;
use pbx_switch::call::{CallRecord, LegRecord};
use pbx_switch::directory::Site;

use crate::api::call_record::Page;
use crate::api::quality::{Quality, quality};
use crate::api::{Desk, Error, Lang, text};
use crate::store;
use crate::store::call_record::{Place, Sought};

/// Records read at once.
const PIECE: i64 = 500;

/// An export under way.
pub struct Export {
    desk: Desk,
    site: Site,
    lang: Lang,
    sought: Sought,
    before: Option<Place>,
    begun: bool,
    ended: bool,
}

/// Begins an export; a request that cannot be understood is refused here, before anything is sent.
pub async fn export(desk: &Desk, page: &Page, lang: Lang) -> Result<Export, Error> {
    let (sought, before) = page.sought()?;
    let lang = page.lang.as_deref().map_or(lang, Lang::of);
    let site = store::house::sites(desk.db()).await?.into_iter().next().ok_or(Error::NotFound)?;
    Ok(Export { desk: desk.clone(), site, lang, sought, before, begun: false, ended: false })
}

impl Export {
    /// What a browser is to call the file.
    pub fn file_name(&self) -> String {
        text(self.lang, "export.file", &[])
    }

    /// The next lines; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        if self.ended {
            return Ok(None);
        }
        let mut lines = String::new();
        if !self.begun {
            self.begun = true;
            lines.push('\u{feff}');
            self.headings(&mut lines);
        }
        let records = store::call_record::page(self.desk.db(), &self.sought, self.before, PIECE).await?;
        self.ended = records.len() < usize::try_from(PIECE).unwrap_or(0);
        self.before = records.last().map(Place::of).or(self.before);
        for record in &records {
            self.line(&mut lines, record);
        }
        Ok(Some(lines))
    }

    fn headings(&self, lines: &mut String) {
        let heading = |key: &str| text(self.lang, &format!("export.{key}"), &[]);
        let mut row = Row::new(self.lang, lines);
        for key in ["call", "started", "caller", "caller_name", "dialled", "callee", "outcome", "rang_s", "talked_s", "codec"] {
            row.text(&heading(key));
        }
        for side in ["of_caller", "of_callee"] {
            for key in ["quality", "loss_percent", "jitter_ms", "round_trip_ms"] {
                row.text(&text(self.lang, &format!("export.{side}"), &[("what", heading(key))]));
            }
        }
    }

    fn line(&self, lines: &mut String, record: &CallRecord) {
        let seconds = |from: Wall, to: Wall| ((to.0 - from.0).max(0) as f64 / 1e6).round();
        let callee = record.callee();
        let mut row = Row::new(self.lang, lines);
        row.text(&record.key.0.to_string());
        row.text(&self.site.local(record.started).strftime("%Y-%m-%d %H:%M:%S").to_string());
        row.text(&record.caller);
        row.text(&record.caller_name);
        row.text(&record.dialled);
        row.text(callee.map_or("", |leg| &leg.party));
        row.text(&text(self.lang, &format!("outcome.{}", record.outcome.code()), &[]));
        row.figure(Some(seconds(record.started, record.answered.unwrap_or(record.ended))));
        row.figure(record.answered.map(|answered| seconds(answered, record.ended)));
        row.text(record.codec.as_deref().unwrap_or_default());
        for leg in [record.legs.first(), callee] {
            self.sounded(&mut row, leg);
        }
    }

    /// Of both directions the worse.
    fn sounded(&self, row: &mut Row<'_>, leg: Option<&LegRecord>) {
        let found = leg.and_then(|leg| quality(&leg.figures));
        let worse = |of: fn(&crate::api::quality::Sound) -> f64| {
            found.as_ref().and_then(|Quality { from, to, .. }| [from, to].into_iter().flatten().map(of).reduce(f64::max))
        };
        row.text(&found.map_or_else(String::new, |found| text(self.lang, &format!("quality.{}", found.grade.code()), &[])));
        row.figure(worse(|sound| sound.loss_percent));
        row.figure(worse(|sound| sound.jitter_ms));
        row.figure(found.and_then(|found| found.round_trip_ms));
    }
}

/// One line of the table; ended when dropped.
struct Row<'a> {
    lang: Lang,
    lines: &'a mut String,
    first: bool,
}

impl<'a> Row<'a> {
    fn new(lang: Lang, lines: &'a mut String) -> Row<'a> {
        Row { lang, lines, first: true }
    }

    fn figure(&mut self, figure: Option<f64>) {
        let shown = figure.map_or_else(String::new, |figure| figure.to_string());
        self.put(&if self.lang == Lang::Fr { shown.replace('.', ",") } else { shown });
    }

    /// A caller chooses their own name: what a spreadsheet would take for a formula is made a text by an apostrophe before it. A plain
    /// telephone number is none, whatever it begins with.
    fn text(&mut self, field: &str) {
        let number =
            field.strip_prefix('+').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit()));
        let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
        self.put(&if formula && !number { format!("'{field}") } else { field.to_owned() });
    }

    fn put(&mut self, field: &str) {
        let separator = if self.lang == Lang::Fr { ';' } else { ',' };
        if !std::mem::take(&mut self.first) {
            self.lines.push(separator);
        }
        if field.contains(['"', '\r', '\n', ',', ';']) {
            self.lines.push('"');
            self.lines.push_str(&field.replace('"', "\"\""));
            self.lines.push('"');
        } else {
            self.lines.push_str(field);
        }
    }
}

impl Drop for Row<'_> {
    fn drop(&mut self) {
        self.lines.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::store::call_record::tests::record;

    fn row(lang: Lang, fields: &[&str]) -> String {
        let mut lines = String::new();
        let mut row = Row::new(lang, &mut lines);
        fields.iter().for_each(|field| row.text(field));
        drop(row);
        lines
    }

    #[test]
    fn what_a_spreadsheet_would_work_out_is_only_read() {
        let fields = ["=1+1", "+33639981234", "+1+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\t=1", "\u{ff1d}1", "007", "a=b", "+"];
        let expected = "'=1+1,+33639981234,'+1+cmd|' /C calc'!A0,'-2,'@SUM(A1),'\t=1,'\u{ff1d}1,007,a=b,'+\r\n";
        assert_eq!(row(Lang::En, &fields), expected);
        assert_eq!(row(Lang::Fr, &["a \"b\"; c", "=\"x\""]), "\"a \"\"b\"\"; c\";\"'=\"\"x\"\"\"\r\n");
    }

    #[tokio::test]
    async fn an_export_holds_every_record_once_however_many_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk::open(Config { data_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap();
        let many = u64::try_from(PIECE).unwrap() * 2 + 7;
        let records: Vec<CallRecord> = (1..=many).map(|key| record(key, "201", "202")).collect();
        store::call_record::insert(desk.db(), &records).await.unwrap();
        let page = Page { lang: Some("en".to_owned()), ..Page::default() };
        let mut export = export(&desk, &page, Lang::Fr).await.unwrap();
        let mut pieces = Vec::new();
        while let Some(piece) = export.next().await.unwrap() {
            pieces.push(piece);
        }
        assert_eq!(pieces.len(), 3);
        let whole = pieces.concat();
        let mut lines = whole.strip_prefix('\u{feff}').unwrap().split_terminator("\r\n");
        let columns = lines.next().unwrap().split(',').count();
        let mut keys: Vec<u64> = Vec::new();
        for line in lines {
            let fields: Vec<&str> = line.split(',').collect();
            assert_eq!((fields.len(), fields[2], fields[4]), (columns, "201", "202"), "{line}");
            keys.push(fields[0].parse().unwrap());
        }
        assert_eq!(keys, (1..=many).rev().collect::<Vec<_>>());
        assert!(!whole.contains("export."), "every heading has its words");
    }
}
