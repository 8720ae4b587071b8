//! JSON as a signature covers it.
//!
//! A signature is over the canonical form of a document, so whatever two
//! documents of one canonical form differ in is not signed. Such differences
//! are refused when a document is read: keys that come twice, and characters
//! that the canonical form would compose.

use std::collections::BTreeMap;
use std::fmt;

use olpc_cjson::CanonicalFormatter;
use serde::Serialize;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Serializer, Value};
use unicode_normalization::is_nfc;

/// Reads one document; none if it is not one, or is one of those refused.
pub(crate) fn parse(bytes: &[u8]) -> Option<Value> {
    let mut left = MOST_VALUES;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: MOST_DEPTH, left: &mut left }.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(value)
}

/// The bytes that are signed; none of a value that has no canonical form.
pub(crate) fn canonical(value: &Value) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    write(value, &mut bytes)?;
    Some(bytes)
}

/// olpc-cjson orders keys with their quotes around them, and so `a b` before
/// `a`; what signs in other languages orders the keys themselves. So objects are
/// written here and the rest there.
fn write(value: &Value, out: &mut Vec<u8>) -> Option<()> {
    match value {
        Value::Object(object) => {
            out.push(b'{');
            let sorted: BTreeMap<&String, &Value> = object.iter().collect();
            for (number, (key, value)) in sorted.into_iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                scalar(key, out)?;
                out.push(b':');
                write(value, out)?;
            }
            out.push(b'}');
        }
        Value::Array(array) => {
            out.push(b'[');
            for (number, value) in array.iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                write(value, out)?;
            }
            out.push(b']');
        }
        _ => scalar(value, out)?,
    }
    Some(())
}

fn scalar(value: &impl Serialize, out: &mut Vec<u8>) -> Option<()> {
    value.serialize(&mut Serializer::with_formatter(out, CanonicalFormatter::new())).ok()
}

/// Levels of arrays and objects. TUF's metadata has seven; what is unknown to us
/// may have more.
const MOST_DEPTH: u32 = 32;

/// Values in one document: five megabytes of targets have half as many.
const MOST_VALUES: u32 = 1 << 19;

/// A value with so many levels below it, out of so many values.
struct Strict<'l> {
    depth: u32,
    left: &'l mut u32,
}

impl Strict<'_> {
    fn below<E: Error>(&mut self) -> Result<Strict<'_>, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        *self.left = self.left.checked_sub(1).ok_or_else(|| E::custom("too many values"))?;
        Ok(Strict { depth, left: self.left })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON that can be signed")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        composed(value.to_owned()).map(Value::String)
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        composed(value).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self.below()?)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(self.below()?)?;
            if object.insert(composed(key)?, value).is_some() {
                return Err(A::Error::custom("a key comes twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

fn composed<E: Error>(text: String) -> Result<String, E> {
    if is_nfc(&text) { Ok(text) } else { Err(E::custom("characters that are not composed")) }
}

#[cfg(test)]
mod tests {
    use super::{canonical, parse};

    #[test]
    fn what_the_canonical_form_would_merge_is_refused() {
        assert!(parse("{\"e\u{301}\": 1}".as_bytes()).is_none());
        assert!(parse(br#"{"a": "e\u0301"}"#).is_none());
        assert!(parse(br#"{"a": 1, "a": 2}"#).is_none());
        assert!(parse(br#"{"a": 1} {}"#).is_none());
        assert!(parse("{\"\u{e9}\": 1}".as_bytes()).is_some());
    }

    #[test]
    fn keys_are_in_the_order_of_securesystemslib() {
        // encode_canonical of version 1.6.0.
        let value = parse(br#"{"a!": 3, "a": [1, -2, null], "a b": true, "\n\"": "\u0001\\"}"#);
        let bytes = value.and_then(|value| canonical(&value)).expect("canonical");
        let expected = b"{\"\n\\\"\":\"\x01\\\\\",\"a\":[1,-2,null],\"a b\":true,\"a!\":3}";
        assert_eq!(bytes, expected);
    }

    #[test]
    fn fractions_cannot_be_signed() {
        assert!(parse(b"[1.5]").is_none_or(|value| canonical(&value).is_none()));
    }
}
