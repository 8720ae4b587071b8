//! What a list may ask of a client.
//!
//! A publisher can sign, beside a list, what it asks for at most: an action, a set
//! of views, a number of probes. It narrows what a host does with the list. A
//! client holds it to limits of its own, so that no data, whoever has signed it,
//! makes the client do more than its host has chosen.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hash::views::ViewSet;
use crate::list::MOST_PROBES_OF_A_SCAN;

/// The most that a list asks for, or that a client grants. None is no word on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// What is to come of a match.
    #[serde(default)]
    pub action: Option<Action>,
    /// Views of a picture that are looked up.
    #[serde(default, deserialize_with = "read_views", serialize_with = "write_views")]
    pub views: Option<ViewSet>,
    /// Patterns of flipped bits that a scan tries.
    #[serde(default)]
    pub probes: Option<u64>,
}

/// What is to come of a match, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Action {
    /// The person is told.
    Warn,
    /// The person decides.
    Ask,
    /// The picture is not sent.
    Block,
}

impl Action {
    /// `warn`, `ask` or `block`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Ask => "ask",
            Self::Block => "block",
        }
    }
}

impl Scope {
    /// What a client grants that says nothing else: to ask the person, nine views,
    /// and as many probes as a scan makes anyway. A list that wants to block has to
    /// be let by the host.
    pub const DEFAULT_CAP: Self = Self {
        action: Some(Action::Ask),
        views: Some(ViewSet::Nine),
        probes: Some(MOST_PROBES_OF_A_SCAN as u64),
    };

    /// The member in which this asks for more than is granted.
    pub(super) fn beyond(&self, cap: &Self) -> Option<&'static str> {
        fn is_more<T: Ord>(asked: Option<T>, granted: Option<T>) -> bool {
            matches!((asked, granted), (Some(asked), Some(granted)) if asked > granted)
        }
        let members = [
            (is_more(self.action, cap.action), "action"),
            (is_more(self.views, cap.views), "views"),
            (is_more(self.probes, cap.probes), "probes"),
        ];
        members.into_iter().find_map(|(more, member)| more.then_some(member))
    }
}

fn read_views<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<ViewSet>, D::Error> {
    let number = Option::<u64>::deserialize(reader)?;
    let set = |number: u64| ViewSet::from_name(&number.to_string());
    number.map(|number| set(number).ok_or_else(|| D::Error::custom("no set of views"))).transpose()
}

fn write_views<S: Serializer>(views: &Option<ViewSet>, writer: S) -> Result<S::Ok, S::Error> {
    views.map(|views| views.variants().len() as u64).serialize(writer)
}

#[cfg(test)]
mod tests {
    use super::{Action, Scope};

    #[test]
    fn a_scope_reads_as_it_was_written() {
        let text = r#"{"action":"ask","views":9,"probes":294912}"#;
        let scope: Scope = serde_json::from_str(text).expect("a scope");
        assert_eq!(serde_json::to_string(&scope).expect("text"), text);
        assert_eq!(scope.action, Some(Action::Ask));
        let nothing: Scope = serde_json::from_str("{}").expect("a scope");
        assert_eq!(nothing, Scope::default());
        for text in [r#"{"views":10}"#, r#"{"action":"allow"}"#, r#"{"probes":-1}"#] {
            assert!(serde_json::from_str::<Scope>(text).is_err(), "{text}");
        }
    }
}
