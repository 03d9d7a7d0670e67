//! Where output goes, and how a running copy is shown: a moving line on a terminal, a line now and then in a log, or JSON.

use crate::args::{Common, ProgressKind, When};
use crate::{exit, report};
use ectype_core::Error;
use ectype_core::os::host;
use ectype_core::plan::map::Cell;
use ectype_core::watch::{Phase, Progress, Watch};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How often the moving line moves.
const TICK: Duration = Duration::from_millis(125);
/// How often a JSON line is written.
const JSON_TICK: Duration = Duration::from_secs(1);
/// How often a log without a terminal gets a line.
const LOG_TICK: Duration = Duration::from_secs(30);
/// The speed shown is that of the last so many seconds.
const WINDOW: Duration = Duration::from_secs(8);
/// Opening a medium for longer is worth a word.
const LONG: Duration = Duration::from_secs(1);
/// Whom an interrupt is told to while nothing is made yet.
static OPENING: Mutex<Option<Output>> = Mutex::new(None);
/// How many cells the picture has.
const WIDEST: usize = 40;
const NARROWEST: usize = 8;
/// A drive that has given nothing for so long is worth a word.
const STRUGGLES: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Bar,
    Log,
    Json,
    Silent,
}

/// Where and how everything is printed.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    verbose: bool,
    style: Style,
    /// Standard output is for an image: words and results go to standard error.
    streams: bool,
    color_out: bool,
    color_err: bool,
    /// The first failure to print a result.
    lost: Arc<OnceLock<io::Error>>,
}

impl Output {
    pub(crate) fn new(common: &Common, streams: bool) -> Output {
        let escapes = host::terminals_understand_escapes();
        let terminal = escapes && std::io::stderr().is_terminal();
        let style = match common.progress {
            ProgressKind::Json => Style::Json,
            _ if common.quiet => Style::Silent,
            ProgressKind::None => Style::Silent,
            ProgressKind::Bar => Style::Bar,
            ProgressKind::Auto if terminal => Style::Bar,
            ProgressKind::Auto => Style::Log,
        };
        let color = |terminal: bool| match common.color {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        Output {
            json: common.json,
            quiet: common.quiet,
            verbose: common.verbose,
            style,
            streams,
            color_out: color(if streams { terminal } else { escapes && std::io::stdout().is_terminal() }),
            color_err: color(terminal),
            lost: Arc::default(),
        }
    }

    pub(crate) fn json(&self) -> bool {
        self.json
    }

    pub(crate) fn verbose(&self) -> bool {
        self.verbose
    }

    /// A line of the plan or the result, for people.
    pub(crate) fn line(&self, text: &str) {
        if self.has_words() && !self.quiet {
            self.out(&format!("{text}\n"));
        }
    }

    /// A line that matters even to those who want quiet: what could not be read, what differs.
    pub(crate) fn finding(&self, text: &str) {
        if self.has_words() {
            self.out(&format!("{text}\n"));
        }
    }

    /// Words have no place where every line is an object.
    fn has_words(&self) -> bool {
        !(self.json || self.streams && self.style == Style::Json)
    }

    /// What is worth knowing beside a result, on standard error.
    pub(crate) fn note(&self, text: &str) {
        match self.style {
            Style::Json => err(&format!("{}\n", json!({ "event": "warning", "message": text }))),
            _ if self.quiet => {}
            _ => err(&format!("note: {text}\n")),
        }
    }

    /// The same where it matters to those who want quiet too.
    pub(crate) fn remark(&self, text: &str) {
        match self.style {
            Style::Json => self.note(text),
            _ => err(&format!("note: {text}\n")),
        }
    }

    /// Asks the person at the terminal; `None` where nobody can be asked. An interrupt is an answer: nothing is made yet, so it
    /// ends it all.
    pub(crate) fn ask(&self, question: &str) -> Option<String> {
        if self.json
            || self.style == Style::Json
            || !(std::io::stdin().is_terminal() && io::stderr().is_terminal())
        {
            return None;
        }
        err(&format!("{question} "));
        let mut answer = String::new();
        // Nothing was begun, and who interrupts gives no answer: it would be waited for.
        self.ends_at_once(true);
        // The end of input is no answer.
        let count = std::io::stdin().read_line(&mut answer);
        self.ends_at_once(false);
        let count = count.ok()?;
        (count > 0).then_some(answer)
    }

    /// The result as one object, for programs.
    pub(crate) fn result(&self, value: &Value) {
        self.out(&format!("{value}\n"));
    }

    /// A closed pipe is a wish to read no more; any other failure is remembered.
    fn out(&self, text: &str) {
        let written = match self.streams {
            true => std::io::stderr().lock().write_all(text.as_bytes()),
            false => std::io::stdout().lock().write_all(text.as_bytes()),
        };
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => drop(self.lost.set(error)),
            _ => {}
        }
    }

    /// Why the result did not reach standard output, where it did not.
    pub(crate) fn lost(&self) -> Option<Error> {
        let cause = self.lost.get()?;
        let cause = cause.raw_os_error().map_or_else(|| cause.kind().into(), io::Error::from_raw_os_error);
        Some(Error::io("the result could not be printed", cause))
    }

    /// Bold on a terminal.
    pub(crate) fn strong(&self, text: &str) -> String {
        if self.color_out { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn error(&self, error: &Error, advice: &[String]) {
        if self.style == Style::Json {
            let event = crate::json::error_event(error, advice);
            err(&format!("{event}\n"));
            return;
        }
        let word = if self.color_err { "\x1b[1;31merror:\x1b[0m" } else { "error:" };
        err(&format!("{word} {}\n", report::printable(&error.to_string())));
        for line in advice {
            err(&format!("  {}\n", report::printable(line)));
        }
    }

    /// Tells an event where progress is JSON.
    pub(crate) fn event(&self, value: &Value) {
        if self.style == Style::Json {
            err(&format!("{value}\n"));
        }
    }

    /// Opens a medium, which takes a sick one its time: then it is said. Nothing is made yet, so an interrupt ends it all at
    /// once, and is told as the result.
    pub(crate) fn opening<T: Send>(
        &self,
        source: &Path,
        watch: &'static Watch,
        work: impl FnOnce() -> T + Send,
    ) -> T {
        heed(watch);
        self.ends_at_once(true);
        let result = std::thread::scope(|scope| {
            let (done, ended) = channel::<()>();
            let telling = move || {
                if ended.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
                    self.event(&json!({ "event": "phase", "phase": "opening", "total": null }));
                    if matches!(self.style, Style::Bar | Style::Log) {
                        let source = report::printable(&source.display().to_string());
                        err(&format!("looking at {source} …\n"));
                    }
                }
            };
            // Without a thread for it that goes untold.
            let _ = std::thread::Builder::new().name("ectype-show".into()).spawn_scoped(scope, telling);
            let result = work();
            drop(done);
            result
        });
        self.ends_at_once(false);
        result
    }

    /// Whether an interrupt ends it all at once, since nothing is made yet, or is left to the run.
    fn ends_at_once(&self, whether: bool) {
        *OPENING.lock().unwrap_or_else(PoisonError::into_inner) = whether.then(|| self.clone());
    }

    /// Runs `work` while its progress is shown, with the interrupt key wired to an ordered stop.
    pub(crate) fn watched<T: Send>(&self, watch: &'static Watch, work: impl FnOnce() -> T + Send) -> T {
        heed(watch);
        std::thread::scope(|scope| {
            let (done, ended) = channel::<()>();
            let style = self.style;
            let color = self.color_err;
            let showing = move || {
                let mut show = Show::new(style, color);
                let tick = match style {
                    Style::Bar => TICK,
                    Style::Json => JSON_TICK,
                    Style::Log | Style::Silent => LOG_TICK,
                };
                while ended.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                    show.said(watch.take_said());
                    show.ended(watch.take_ended());
                    show.tick(&watch.progress(), watch.known(), watch.stop_asked());
                }
                show.said(watch.take_said());
                if style == Style::Json {
                    show.ended(watch.take_ended());
                    show.tick(&watch.progress(), watch.known(), watch.stop_asked());
                }
                show.clear();
            };
            // Without a thread for it progress goes untold.
            let _ = std::thread::Builder::new().name("ectype-show".into()).spawn_scoped(scope, showing);
            let result = work();
            drop(done);
            result
        })
    }
}

/// Wires the interrupt key, and what closes the terminal, to an ordered stop.
fn heed(watch: &'static Watch) {
    let stop = move || {
        let opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(output) = &*opening {
            let code = exit::failed(&Error::interrupted(), output);
            std::process::exit(code as i32);
        }
        if watch.stop_asked() {
            std::process::exit(130);
        }
        watch.stop();
    };
    // A second handler cannot be set; the first one watches the same run.
    if ctrlc::set_handler(stop).is_ok() {
        host::before_closing(stop);
    }
}

/// What is told on the way may get lost.
fn err(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

struct Show {
    style: Style,
    color: bool,
    phase: Phase,
    /// When, bytes done, bytes of those known without reading.
    history: VecDeque<(Instant, u64, u64)>,
    shown: bool,
}

impl Show {
    fn new(style: Style, color: bool) -> Show {
        Show { style, color, phase: Phase::Starting, history: VecDeque::new(), shown: false }
    }

    /// Programs are told of every phase, also of one that was over between two ticks.
    fn ended(&mut self, phases: Vec<Progress>) {
        if self.style == Style::Json {
            for progress in phases {
                self.tick(&progress, 0, false);
            }
        }
    }

    /// Lines of their own.
    fn said(&mut self, lines: Vec<String>) {
        for line in lines {
            match self.style {
                Style::Json => err(&format!("{}\n", json!({ "event": "warning", "message": line }))),
                Style::Silent => {}
                Style::Bar | Style::Log => {
                    self.clear();
                    err(&format!("  {}\n", report::printable(&line)));
                }
            }
        }
    }

    fn tick(&mut self, progress: &Progress, known: u64, stopping: bool) {
        if progress.phase != self.phase {
            self.phase = progress.phase;
            self.history.clear();
            if self.style == Style::Json {
                let event =
                    json!({ "event": "phase", "phase": progress.phase.name(), "total": progress.total });
                err(&format!("{event}\n"));
            }
        }
        let now = Instant::now();
        self.history.push_back((now, progress.done, known));
        while self.history.len() > 2 && now.duration_since(self.history[0].0) > WINDOW {
            self.history.pop_front();
        }
        let (rate, eta) = self.speed(progress);
        match self.style {
            Style::Json => {
                let event = json!({
                    "event": "progress",
                    "phase": progress.phase.name(),
                    "done": progress.done,
                    "total": progress.total,
                    "bytes_per_s": rate,
                    "eta_s": eta.map(|eta| eta.as_secs()),
                    "unreadable": progress.unreadable,
                    "pass": (progress.pass > 0).then_some(progress.pass),
                    "passes": (progress.pass > 0).then_some(progress.passes),
                    "backwards": (progress.pass > 0).then_some(progress.backwards),
                    "areas": progress.walked.map(|walked| walked.0),
                    "areas_total": progress.walked.map(|walked| walked.1),
                    "last_success_s": progress.last_success.map(|last| last.elapsed().as_secs()),
                });
                err(&format!("{event}\n"));
            }
            Style::Bar => {
                let line = self.bar(progress, rate, eta, stopping, columns());
                err(&format!("\r\x1b[K{line}"));
                self.shown = true;
            }
            Style::Log => err(&format!("{}\n", words(progress, rate, eta))),
            Style::Silent => {}
        }
    }

    /// Bytes read a second, and how long the rest will take at that speed. What needed no reading is no speed.
    fn speed(&self, progress: &Progress) -> (u64, Option<Duration>) {
        let (Some(first), Some(last)) = (self.history.front(), self.history.back()) else { return (0, None) };
        let seconds = last.0.duration_since(first.0).as_secs_f64();
        let read = (last.1 - first.1.min(last.1)).saturating_sub(last.2 - first.2.min(last.2));
        if seconds <= 0.0 || read == 0 {
            return (0, None);
        }
        let rate = read as f64 / seconds;
        let left = progress.total.saturating_sub(progress.done) as f64 / rate;
        (rate as u64, Some(Duration::from_secs_f64(left.min(1e9))))
    }

    fn bar(
        &self,
        progress: &Progress,
        rate: u64,
        eta: Option<Duration>,
        stopping: bool,
        columns: usize,
    ) -> String {
        if stopping {
            return "  stopping: making durable what was copied (once more to leave at once)".to_owned();
        }
        let pass = pass(progress).map_or(String::new(), |(pass, of)| format!(" {pass}/{of}"));
        let label = format!("{:<9}", progress.phase.name().to_owned() + &pass);
        let facts = numbers(progress, rate, eta);
        // Two blanks before the label and two behind it, one behind the picture; the last column stays free.
        let taken = label.len() + 6;
        let width = columns.saturating_sub(taken + facts.chars().count()).clamp(NARROWEST, WIDEST);
        // A line that wraps cannot be wiped away: rather it loses its end.
        let facts: String = facts.chars().take(columns.saturating_sub(taken + width)).collect();
        let picture = if progress.picture.is_empty() {
            let full = u128::from(progress.done) * width as u128;
            let full = full.checked_div(progress.total.into()).unwrap_or(0).min(width as u128) as usize;
            "█".repeat(full) + &"░".repeat(width - full)
        } else {
            narrowed(&progress.picture, width).map(|cell| self.glyph(cell)).collect()
        };
        format!("  {label}  {picture} {facts}")
    }

    fn glyph(&self, cell: Cell) -> String {
        let glyph = report::glyph(cell);
        let color = match cell {
            Cell::NonTried | Cell::Finished | Cell::Mixed => "",
            Cell::NonTrimmed | Cell::NonScraped => "\x1b[33m",
            Cell::Bad => "\x1b[31m",
        };
        if self.color && !color.is_empty() { format!("{color}{glyph}\x1b[0m") } else { glyph.to_string() }
    }

    fn clear(&self) {
        if self.shown {
            err("\r\x1b[K");
        }
    }
}

/// The pass and how many there are, where it is worth telling: a healthy medium is read in one.
fn pass(progress: &Progress) -> Option<(u32, u32)> {
    let is_rescue = progress.unreadable > 0 || progress.pass > 1;
    (is_rescue && progress.passes > 1).then_some((progress.pass, progress.passes))
}

/// How wide a line may be.
fn columns() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(usize::MAX, |(columns, _)| columns.0.into())
}

/// A picture in at most `width` cells, each the gravest of what it stands for.
fn narrowed(cells: &[Cell], width: usize) -> impl Iterator<Item = Cell> {
    let width = width.min(cells.len());
    let share = move |index: usize| &cells[index * cells.len() / width..(index + 1) * cells.len() / width];
    (0..width).filter_map(move |index| share(index).iter().copied().reduce(Cell::with))
}

fn numbers(progress: &Progress, rate: u64, eta: Option<Duration>) -> String {
    let percent = (u128::from(progress.done) * 100).checked_div(progress.total.into()).unwrap_or(100);
    let mut text = format!("{percent:>3} %   ");
    text += &match progress.walked {
        Some((done, all)) => format!("{done} of {} done", areas(all)),
        None => format!("{} / {}", report::size(progress.done), report::size(progress.total)),
    };
    if rate > 0 {
        text += &format!("   {}/s", report::size(rate));
    }
    if let Some(eta) = eta {
        text += &format!("   {} left", report::clock(eta));
    }
    if progress.unreadable > 0 {
        text += &format!("   {} in {} unread", report::size(progress.unreadable), areas(progress.areas));
        let silent = progress.last_success.map(|last| last.elapsed());
        if let Some(silent) = silent.filter(|silent| *silent >= STRUGGLES && is_reading(progress.phase)) {
            text += &format!(", last success {} ago", report::lasted(silent));
        }
    }
    text
}

fn areas(count: usize) -> String {
    format!("{} area{}", report::count(count as u64), if count == 1 { "" } else { "s" })
}

fn is_reading(phase: Phase) -> bool {
    !matches!(phase, Phase::Starting | Phase::Snapshot | Phase::Proving | Phase::Finishing)
}

fn words(progress: &Progress, rate: u64, eta: Option<Duration>) -> String {
    let back = if progress.backwards { ", backwards" } else { "" };
    let pass = pass(progress).map_or(String::new(), |(pass, of)| format!(", pass {pass} of {of}{back}"));
    format!("{}{pass}  {}", progress.phase.name(), numbers(progress, rate, eta).trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halfway() -> Progress {
        Progress {
            phase: Phase::Copying,
            done: 50 << 20,
            total: 100 << 20,
            pass: 1,
            passes: 5,
            last_success: Some(Instant::now()),
            ..Progress::default()
        }
    }

    fn bar(progress: &Progress) -> String {
        Show::new(Style::Bar, false).bar(progress, 1 << 20, None, false, usize::MAX)
    }

    #[test]
    fn a_healthy_medium_has_no_passes() {
        let progress = halfway();
        assert_eq!(words(&progress, 0, None), "copying  50 %   50.0 MiB / 100.0 MiB");
        let picture = "█".repeat(20) + &"░".repeat(20);
        let expected = format!("  copying    {picture}  50 %   50.0 MiB / 100.0 MiB   1.0 MiB/s");
        assert_eq!(bar(&progress), expected);
    }

    #[test]
    fn a_rescue_says_its_pass_and_direction() {
        let progress = Progress { unreadable: 4096, areas: 1, pass: 2, backwards: true, ..halfway() };
        assert_eq!(
            words(&progress, 0, None),
            "copying, pass 2 of 5, backwards  50 %   50.0 MiB / 100.0 MiB   4.0 KiB in 1 area unread"
        );
        assert!(bar(&progress).starts_with("  copying 2/5  █"), "{}", bar(&progress));
        let retrying = Progress { phase: Phase::Retrying, pass: 1, passes: 3, backwards: false, ..progress };
        assert!(words(&retrying, 0, None).starts_with("retrying, pass 1 of 3  "));
        // With one pass there is nothing to count.
        assert!(words(&Progress { passes: 1, ..retrying }, 0, None).starts_with("retrying  "));
    }

    #[test]
    fn walks_count_areas_and_a_silent_drive_is_told() {
        let silent = Instant::now().checked_sub(Duration::from_secs(70));
        let trimming = Progress {
            phase: Phase::Trimming,
            passes: 1,
            unreadable: 31_232,
            areas: 14,
            walked: Some((9, 14)),
            last_success: silent,
            ..halfway()
        };
        let told = words(&trimming, 0, None);
        let expected = "trimming  50 %   9 of 14 areas done   30.5 KiB in 14 areas unread";
        assert!(told.starts_with(expected), "{told}");
        // A machine that has just booted has no such past.
        assert_eq!(told.contains(", last success 1 min "), silent.is_some(), "{told}");
        let healthy = Progress { unreadable: 0, walked: None, last_success: silent, ..halfway() };
        assert!(!words(&healthy, 0, None).contains("success"));
    }

    #[test]
    fn on_a_narrow_terminal_it_stays_one_line() {
        let picture = [Cell::Finished; 39].into_iter().chain([Cell::Bad]).collect();
        let rescue = Progress { unreadable: 4096, areas: 1, pass: 2, picture, ..halfway() };
        let show = Show::new(Style::Bar, false);
        for columns in [0, 1, 20, 40, 80, 100, 132, 400] {
            for progress in [&halfway(), &rescue] {
                let line = show.bar(progress, 1 << 20, Some(Duration::from_secs(50)), false, columns);
                let len = line.chars().count();
                assert!(len < columns.max(26), "{len} of {columns}: {line}");
                assert!(columns < 132 || line.contains(&"█".repeat(20)), "{line}");
            }
            let line = show.bar(&rescue, 0, None, false, columns);
            assert!(line.contains('!'), "the gravest shows: {line}");
        }
    }
}
