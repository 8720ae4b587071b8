//! Findings to a verdict: a pure function, written as a TOML file.
//!
//! ```toml
//! low-quality = "allow"    # too little in the picture to compare
//!
//! [no-data]                # a part of the scan has nothing to look with
//! list = "ask"
//! model = "allow"          # where a [label.*] rule has no model that gives it
//!
//! [list.default]           # every list without a section of its own
//! exact = "block"
//! near = "block"
//!
//! [list.example-org]       # the list with this id
//! near = "ask"             # what is left out comes from list.default
//!
//! [label.sexual]           # scores from 0 to 1; the highest one reached counts
//! warn = 0.7
//!
//! [label.sexual.confirm]   # optional: a second model, run only on frames that
//! model = "open-nsfw"      # reach the mildest score above. Where its own score
//! label = "sexual"         # stays below `at`, nothing follows.
//! at = 0.3
//!
//! [incomplete]             # by reason: truncated, malformed, deadline-passed, ...
//! default = "ask"
//!
//! [unsupported]            # by class: image, video, audio, archive, document, other
//! default = "ask"
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::limits::Incomplete;
use crate::verdict::{Finding, Judged, Match, Part, Verdict};

/// The host's rules.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Rules,
}

/// The text is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy line {line}: {message}")]
pub struct PolicyError {
    /// Line of the text, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

impl Policy {
    /// The names of the built-in policies.
    pub const PRESETS: [&str; 3] = ["default", "teen", "off"];

    /// The built-in policy of that name.
    pub fn preset(name: &str) -> Option<Self> {
        let text = match name {
            "default" => include_str!("policy/default.toml"),
            "teen" => include_str!("policy/teen.toml"),
            "off" => include_str!("policy/off.toml"),
            _ => return None,
        };
        Some(Self::parse(text).expect("a test parses every preset"))
    }

    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError`] names the line of an unknown key, an unknown verdict, a
    /// missing section or a threshold that makes no sense.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let line = |at: usize| text.bytes().take(at).filter(|&c| c == b'\n').count() + 1;
        let rules: Rules = toml::from_str(text).map_err(|error| PolicyError {
            line: line(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        let at = rules.list.span().start;
        rules.list.get_ref().check().map_err(|message| PolicyError { line: line(at), message })?;
        for thresholds in rules.label.values() {
            thresholds.check().map_err(|(at, message)| PolicyError { line: line(at), message })?;
        }
        Ok(Self { rules })
    }

    /// The gravest verdict, and every finding with its own, gravest first.
    pub fn decide(&self, findings: Vec<Finding>) -> (Verdict, Vec<Judged>) {
        let rules: Vec<_> = findings.iter().map(|finding| self.judge(finding, &findings)).collect();
        let judged = |(finding, (verdict, rule))| Judged { finding, verdict, rule };
        let mut judged: Vec<Judged> = findings.into_iter().zip(rules).map(judged).collect();
        judged.sort_by_key(|judged| std::cmp::Reverse(judged.verdict));
        (judged.first().map_or(Verdict::Allow, |judged| judged.verdict), judged)
    }

    /// What follows from one finding; a label may hang on another model's.
    fn judge(&self, finding: &Finding, all: &[Finding]) -> (Verdict, String) {
        match finding {
            Finding::Match { list, by, .. } => self.rules.list.get_ref().judge(list, *by),
            Finding::Label { model, label, score, .. } => {
                self.rules.judge_label(model, label, *score, all)
            }
            Finding::LowQuality => (self.rules.low_quality, "low-quality".into()),
            Finding::Incomplete(reason) => self.rules.incomplete.judge(*reason),
            Finding::Unsupported(media) => self.rules.unsupported.judge(media.class),
            Finding::NoData(part) => self.rules.no_data.judge(*part),
        }
    }

    /// The same policy, but from matches of the list follows this at most: for a
    /// list whose publisher asks for no more.
    #[must_use]
    pub fn at_most(mut self, list: &str, verdict: Verdict) -> Self {
        self.rules.list.get_mut().limit(list, verdict);
        self
    }

    /// The labels from which something may follow.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.rules.label.keys().map(String::as_str)
    }

    /// The models that only confirm what another has flagged, each with the
    /// label by which it does.
    pub fn confirmations(&self) -> impl Iterator<Item = (&str, &str)> {
        let confirms = self.rules.label.values().filter_map(|rule| rule.confirm.as_ref());
        confirms.map(|confirm| (confirm.get_ref().model.as_str(), confirm.get_ref().label.as_str()))
    }

    /// Whether another verdict would follow if the model's score were higher or
    /// lower by less than `by`.
    pub(crate) fn is_close(&self, model: &str, label: &str, score: f32, by: f32) -> bool {
        let own = self.rules.label.get(label);
        let own = own.into_iter().flat_map(|rule| rule.spanned().map(|(_, at)| *at.get_ref()));
        let confirms = self.rules.label.values().filter_map(|rule| rule.confirm.as_ref());
        let confirms = confirms.map(|confirm| confirm.get_ref());
        let confirms = confirms.filter(|c| c.model == model && c.label == label).map(|c| c.at);
        own.chain(confirms).any(|at| (score - at).abs() < by)
    }

    /// The model that has to confirm this score before anything follows.
    pub(crate) fn confirming_model(&self, label: &str, score: f32) -> Option<&str> {
        let thresholds = self.rules.label.get(label)?;
        thresholds.reached(score)?;
        thresholds.confirm.as_ref().map(|confirm| confirm.get_ref().model.as_str())
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::preset("default").expect("`default` is a preset")
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Rules {
    low_quality: Verdict,
    no_data: NoDataRules,
    list: Spanned<Lists>,
    #[serde(default)]
    label: BTreeMap<String, Thresholds>,
    incomplete: IncompleteRules,
    unsupported: UnsupportedRules,
}

impl Rules {
    fn judge_label(
        &self,
        model: &str,
        label: &str,
        score: f32,
        all: &[Finding],
    ) -> (Verdict, String) {
        let confirms =
            |rule: &Thresholds| rule.confirm.as_ref().is_some_and(|c| c.get_ref().model == model);
        if self.label.values().any(confirms) {
            return (Verdict::Allow, format!("label.{label}.confirm"));
        }
        let Some((rule, verdict)) =
            self.label.get(label).and_then(|rule| Some((rule, rule.reached(score)?)))
        else {
            return (Verdict::Allow, format!("label.{label}"));
        };
        if rule.confirm.as_ref().is_some_and(|confirm| confirm.get_ref().denies(all)) {
            return (Verdict::Allow, format!("label.{label}.unconfirmed"));
        }
        (verdict, format!("label.{label}.{verdict}"))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoDataRules {
    list: Verdict,
    model: Verdict,
}

impl NoDataRules {
    fn judge(&self, part: Part) -> (Verdict, String) {
        let verdict = match part {
            Part::List => self.list,
            Part::Model => self.model,
        };
        (verdict, format!("no-data.{}", part.name()))
    }
}

/// By list id; `default` stands for all others and has every rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
struct Lists(BTreeMap<String, ListRule>);

impl Lists {
    /// What is missing or cannot be.
    fn check(&self) -> Result<(), String> {
        let default = self.0.get("default");
        if default.is_none_or(|rule| rule.exact.is_none() || rule.near.is_none()) {
            return Err("[list.default] needs `exact` and `near`".into());
        }
        let is_id = |id: &String| id.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        match self.0.keys().find(|id| !is_id(id)) {
            Some(id) => Err(format!("[list.{id}] names no list; ids are made of a-z, 0-9 and -")),
            None => Ok(()),
        }
    }

    fn limit(&mut self, list: &str, most: Verdict) {
        let rule = |id: &str| self.0.get(id).cloned().unwrap_or_default();
        let (own, default) = (rule(list), rule("default"));
        let limited = |own: Option<Verdict>, default: Option<Verdict>| {
            own.or(default).map(|verdict| verdict.min(most))
        };
        let exact = limited(own.exact, default.exact);
        let near = limited(own.near, default.near);
        self.0.insert(list.to_owned(), ListRule { exact, near });
    }

    fn judge(&self, list: &str, by: Match) -> (Verdict, String) {
        let rule = |id: &str| {
            let rule = self.0.get(id)?;
            let (verdict, what) = match by {
                Match::Exact(_) => (rule.exact?, "exact"),
                Match::Near { .. } => (rule.near?, "near"),
            };
            Some((verdict, format!("list.{id}.{what}")))
        };
        rule(list).or_else(|| rule("default")).expect("`check` has seen the default")
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListRule {
    exact: Option<Verdict>,
    near: Option<Verdict>,
}

/// From which score on each verdict applies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Thresholds {
    warn: Option<Spanned<f32>>,
    ask: Option<Spanned<f32>>,
    block: Option<Spanned<f32>>,
    confirm: Option<Spanned<Confirm>>,
}

/// A second model that has to agree.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirm {
    model: String,
    label: String,
    at: f32,
}

impl Confirm {
    /// Whether the model has looked and sees too little. One that has not
    /// looked, because the scan ended before, denies nothing.
    fn denies(&self, findings: &[Finding]) -> bool {
        findings.iter().any(|finding| match finding {
            Finding::Label { model, label, score, .. } => {
                *model == self.model && *label == self.label && *score < self.at
            }
            _ => false,
        })
    }
}

impl Thresholds {
    fn spanned(&self) -> impl DoubleEndedIterator<Item = (Verdict, &Spanned<f32>)> {
        let rows =
            [(Verdict::Warn, &self.warn), (Verdict::Ask, &self.ask), (Verdict::Block, &self.block)];
        rows.into_iter().filter_map(|(verdict, score)| Some((verdict, score.as_ref()?)))
    }

    /// The gravest verdict whose score is reached.
    fn reached(&self, score: f32) -> Option<Verdict> {
        self.spanned().rev().find(|(_, at)| score >= *at.get_ref()).map(|(verdict, _)| verdict)
    }

    /// The offset and the text of the first complaint.
    fn check(&self) -> Result<(), (usize, String)> {
        let mut last = 0.0;
        for (verdict, score) in self.spanned() {
            let at = score.span().start;
            let score = *score.get_ref();
            if !(0.0..=1.0).contains(&score) {
                return Err((at, format!("`{verdict}` must lie between 0 and 1")));
            }
            if score < last {
                return Err((
                    at,
                    format!("`{verdict}` must not be below a milder verdict's score"),
                ));
            }
            last = score;
        }
        if let Some(confirm) = &self.confirm {
            let at = confirm.span().start;
            if !(0.0..=1.0).contains(&confirm.get_ref().at) {
                return Err((at, "`at` must lie between 0 and 1".into()));
            }
            if self.spanned().next().is_none() {
                return Err((at, "`confirm` needs a score to confirm".into()));
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct IncompleteRules {
    default: Verdict,
    truncated: Option<Verdict>,
    malformed: Option<Verdict>,
    too_many_bytes: Option<Verdict>,
    too_many_pixels: Option<Verdict>,
    too_many_frames: Option<Verdict>,
    too_much_memory: Option<Verdict>,
    deadline_passed: Option<Verdict>,
    cancelled: Option<Verdict>,
    busy: Option<Verdict>,
    internal: Option<Verdict>,
}

impl IncompleteRules {
    fn judge(&self, reason: Incomplete) -> (Verdict, String) {
        let own = match reason {
            Incomplete::Truncated => self.truncated,
            Incomplete::Malformed => self.malformed,
            Incomplete::TooManyBytes => self.too_many_bytes,
            Incomplete::TooManyPixels => self.too_many_pixels,
            Incomplete::TooManyFrames => self.too_many_frames,
            Incomplete::TooMuchMemory => self.too_much_memory,
            Incomplete::DeadlinePassed => self.deadline_passed,
            Incomplete::Cancelled => self.cancelled,
            Incomplete::Busy => self.busy,
            Incomplete::Internal => self.internal,
        };
        own_or_default("incomplete", reason.code(), own, self.default)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnsupportedRules {
    default: Verdict,
    image: Option<Verdict>,
    video: Option<Verdict>,
    audio: Option<Verdict>,
    archive: Option<Verdict>,
    document: Option<Verdict>,
    other: Option<Verdict>,
}

impl UnsupportedRules {
    fn judge(&self, class: &str) -> (Verdict, String) {
        let own = match class {
            "image" => self.image,
            "video" => self.video,
            "audio" => self.audio,
            "archive" => self.archive,
            "document" => self.document,
            _ => self.other,
        };
        own_or_default("unsupported", class, own, self.default)
    }
}

fn own_or_default(
    section: &str,
    key: &str,
    own: Option<Verdict>,
    default: Verdict,
) -> (Verdict, String) {
    match own {
        Some(verdict) => (verdict, format!("{section}.{key}")),
        None => (default, format!("{section}.default")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Algorithm;
    use crate::media::Unsupported;

    fn judged(policy: &Policy, finding: Finding) -> (Verdict, String) {
        let (verdict, judged) = policy.decide(vec![finding]);
        assert_eq!(verdict, judged[0].verdict);
        (verdict, judged[0].rule.clone())
    }

    fn exact(list: &str) -> Finding {
        Finding::Match { list: list.into(), version: 1, by: Match::Exact(Algorithm::Md5) }
    }

    fn label(score: f32) -> Finding {
        let text = |s: &str| s.to_owned();
        Finding::Label { model: text("m"), version: text("1"), label: text("sexual"), score }
    }

    #[test]
    fn every_preset_parses() {
        for name in Policy::PRESETS {
            assert!(Policy::preset(name).is_some(), "{name}");
        }
        assert!(Policy::preset("none").is_none());
    }

    #[test]
    fn what_could_not_be_scanned_is_never_allowed_by_default() {
        for name in ["default", "teen"] {
            let policy = Policy::preset(name).unwrap();
            for reason in Incomplete::ALL {
                assert!(judged(&policy, Finding::Incomplete(reason)).0 >= Verdict::Ask);
            }
            for class in ["image", "video", "audio", "archive", "document", "other"] {
                let media = Unsupported { class, kind: "x" };
                assert!(judged(&policy, Finding::Unsupported(media)).0 >= Verdict::Ask);
            }
            assert!(judged(&policy, Finding::NoData(Part::List)).0 >= Verdict::Ask);
        }
    }

    #[test]
    fn a_list_that_asks_for_less_gets_less_and_never_more() {
        let policy = Policy::preset("default").expect("a preset").at_most("acme", Verdict::Ask);
        assert_eq!(judged(&policy, exact("acme")), (Verdict::Ask, "list.acme.exact".into()));
        assert_eq!(judged(&policy, exact("other")), (Verdict::Block, "list.default.exact".into()));
        let text =
            include_str!("policy/default.toml").to_owned() + "[list.acme]\nexact = \"warn\"\n";
        let policy = Policy::parse(&text).expect("a policy").at_most("acme", Verdict::Block);
        assert_eq!(judged(&policy, exact("acme")), (Verdict::Warn, "list.acme.exact".into()));
    }

    #[test]
    fn a_lists_own_rule_comes_before_the_default() {
        let text =
            include_str!("policy/default.toml").to_owned() + "[list.acme]\nexact = \"warn\"\n";
        let policy = Policy::parse(&text).unwrap();
        assert_eq!(judged(&policy, exact("acme")), (Verdict::Warn, "list.acme.exact".into()));
        assert_eq!(judged(&policy, exact("other")), (Verdict::Block, "list.default.exact".into()));
    }

    #[test]
    fn the_highest_threshold_that_is_reached_counts() {
        let policy = Policy::preset("teen").unwrap();
        let rows = [(0.2, "allow"), (0.3, "warn"), (0.6, "ask"), (0.85, "block"), (1.0, "block")];
        for (score, expected) in rows {
            assert_eq!(judged(&policy, label(score)).0.name(), expected, "{score}");
        }
    }

    #[test]
    fn a_second_model_has_to_agree_and_never_decides_alone() {
        let confirm = "[label.sexual.confirm]\nmodel = \"second\"\nlabel = \"nsfw\"\nat = 0.3\n";
        let text = include_str!("policy/default.toml").to_owned() + confirm;
        let policy = Policy::parse(&text).unwrap();
        let second = |label: &str, score| {
            let (model, version, label) = ("second".into(), "1".into(), label.into());
            Finding::Label { model, version, label, score }
        };
        let decided = |findings: &[Finding]| {
            let (verdict, judged) = policy.decide(findings.to_vec());
            (verdict, judged[0].rule.clone())
        };
        let warned = (Verdict::Warn, "label.sexual.warn".to_owned());
        let unconfirmed = (Verdict::Allow, "label.sexual.unconfirmed".to_owned());
        assert_eq!(decided(&[label(0.9), second("nsfw", 0.3)]), warned);
        assert_eq!(decided(&[label(0.9), second("nsfw", 0.29)]), unconfirmed);
        // The scan ended before the second model ran: the first one's word stands.
        assert_eq!(decided(&[label(0.9)]), warned);
        assert_eq!(decided(&[label(0.6), second("nsfw", 0.9)]).0, Verdict::Allow);
        assert_eq!(decided(&[second("sexual", 1.0)]).0, Verdict::Allow);
        assert_eq!(policy.confirmations().collect::<Vec<_>>(), [("second", "nsfw")]);
        assert_eq!(policy.confirming_model("sexual", 0.7), Some("second"));
        assert_eq!(policy.confirming_model("sexual", 0.69), None);
    }

    #[test]
    fn the_gravest_finding_decides_and_comes_first() {
        let policy = Policy::default();
        let (verdict, judged) = policy.decide(vec![Finding::LowQuality, exact("a"), label(0.8)]);
        assert_eq!(verdict, Verdict::Block);
        assert_eq!(judged[0].finding, exact("a"));
        assert_eq!(policy.decide(vec![]), (Verdict::Allow, vec![]));
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let valid = include_str!("policy/off.toml");
        for (from, to, line, message) in [
            ("low-quality", "low-qualty", 3, "unknown field `low-qualty`"),
            ("near = \"allow\"", "near = \"never\"", 11, "unknown variant `never`"),
            ("near = \"allow\"", "near = \"allow\"\nnaer = \"ask\"", 12, "unknown field `naer`"),
            ("[incomplete]", "[list.a]\nnaer = \"ask\"\n[incomplete]", 14, "unknown field `naer`"),
            ("[incomplete]", "[list.a]\nnear = \"no\"\n[incomplete]", 14, "unknown variant `no`"),
            ("near = \"allow\"", "", 9, "needs `exact` and `near`"),
            ("[incomplete]", "[label.x]\nwarn = 2.0\n[incomplete]", 14, "between 0 and 1"),
            ("[incomplete]", "[label.x]\nwarn = 0.9\nask = 0.5\n[incomplete]", 15, "milder"),
            (
                "[incomplete]",
                "[label.x]\nconfirm = { model = \"m\", label = \"x\", at = 0 }\n[incomplete]",
                14,
                "needs a score",
            ),
            ("[incomplete]", "[incomplete]\ntruncatd = \"ask\"", 14, "unknown field `truncatd`"),
            ("default = \"allow\"\n\n[u", "default = \"allow\"\nx\n[u", 15, "expected"),
        ] {
            assert!(valid.contains(from));
            let error = Policy::parse(&valid.replacen(from, to, 1)).unwrap_err();
            assert!(error.message.contains(message), "{error}");
            assert_eq!(error.line, line, "{error}");
        }
    }
}
