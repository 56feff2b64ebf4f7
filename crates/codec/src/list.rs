//! Lists and watch frames put together from objects that are already encoded.

use crate::proto::Backwards;
use meta::{Gvk, json};

/// The metadata of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListMeta {
    pub resource_version: String,
    /// "" when the list is complete.
    pub continue_token: String,
    /// 0 is not shown.
    pub remaining_item_count: i64,
}

impl ListMeta {
    fn write_json(&self, always_continue: bool, out: &mut Vec<u8>) {
        let mut first = true;
        let mut key = |name: &str, out: &mut Vec<u8>| {
            out.push(if std::mem::take(&mut first) { b'{' } else { b',' });
            json::write_string(name, out);
            out.push(b':');
        };
        let typed = !always_continue;
        if typed {
            key("resourceVersion", out);
            json::write_string(&self.resource_version, out);
        }
        if always_continue || !self.continue_token.is_empty() {
            key("continue", out);
            json::write_string(&self.continue_token, out);
        }
        if self.remaining_item_count != 0 {
            key("remainingItemCount", out);
            json::write_int(self.remaining_item_count, out);
        }
        if !typed {
            key("resourceVersion", out);
            json::write_string(&self.resource_version, out);
        }
        out.push(b'}');
    }
}

/// A JSON list being written; items are appended as their text.
pub struct JsonList {
    out: Vec<u8>,
    first: bool,
    /// What follows the items.
    tail: Vec<u8>,
}

impl JsonList {
    /// A list of a built-in kind: `kind`, `apiVersion`, `metadata`, `items`; the items have no kind of their own.
    pub fn typed(gvk: &Gvk, metadata: &ListMeta) -> JsonList {
        let mut out = b"{\"kind\":".to_vec();
        json::write_string(&gvk.kind, &mut out);
        out.extend_from_slice(b",\"apiVersion\":");
        json::write_string(&gvk.api_version(), &mut out);
        out.extend_from_slice(b",\"metadata\":");
        metadata.write_json(false, &mut out);
        out.extend_from_slice(b",\"items\":[");
        JsonList { out, first: true, tail: b"]}\n".to_vec() }
    }

    /// A list of custom resources: keys in order, `continue` always there, items with their kind.
    pub fn custom(gvk: &Gvk, metadata: &ListMeta) -> JsonList {
        let mut out = b"{\"apiVersion\":".to_vec();
        json::write_string(&gvk.api_version(), &mut out);
        out.extend_from_slice(b",\"items\":[");
        let mut tail = b"],\"kind\":".to_vec();
        json::write_string(&gvk.kind, &mut tail);
        tail.extend_from_slice(b",\"metadata\":");
        metadata.write_json(true, &mut tail);
        tail.extend_from_slice(b"}\n");
        JsonList { out, first: true, tail }
    }

    /// Makes room for items of so many bytes together.
    pub fn item_room(&mut self, bytes: usize) {
        self.out.reserve(bytes);
    }

    /// Where the next item's JSON is appended.
    pub fn item(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        &mut self.out
    }

    /// Forgets what was appended since the list was `bytes` long: an item that cannot be shown.
    pub fn truncate(&mut self, bytes: usize, first: bool) {
        self.out.truncate(bytes);
        self.first = first;
    }

    /// How long the text is so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether there is no item yet.
    pub fn is_empty(&self) -> bool {
        self.first
    }

    /// The whole list, with Go's newline at the end.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(&self.tail);
        self.out
    }
}

/// A list in its protobuf envelope. Items are messages without envelope, each with its resourceVersion. The error is that of a
/// message that is not well formed.
pub fn list_protobuf<'a, I>(gvk: &Gvk, metadata: &ListMeta, items: I) -> Result<Vec<u8>, String>
where
    I: DoubleEndedIterator<Item = (&'a [u8], &'a str)>,
{
    let mut out = Backwards::with_capacity(4096);
    crate::proto::seal(gvk, &mut out, |out| {
        for (message, resource_version) in items.rev() {
            let before = out.len();
            crate::proto::with_resource_version(message, resource_version, out)?;
            out.close(2, before);
        }
        let before = out.len();
        if metadata.remaining_item_count != 0 {
            out.varint(metadata.remaining_item_count as u64);
            out.tag(4, 0);
        }
        out.field(3, metadata.continue_token.as_bytes());
        out.field(2, metadata.resource_version.as_bytes());
        out.field(1, b"");
        out.close(1, before);
        Ok(())
    })
    .map_err(|why: &str| why.to_string())?;
    Ok(out.written().to_vec())
}

/// An object in its envelope with its resourceVersion, from the envelope that is stored.
pub fn protobuf_with_resource_version(stored: &[u8], gvk: &Gvk, resource_version: &str) -> Result<Vec<u8>, String> {
    let envelope = crate::Envelope::open(stored)?;
    let mut out = Backwards::with_capacity(stored.len() + resource_version.len() + 16);
    crate::proto::seal(gvk, &mut out, |out| crate::proto::with_resource_version(envelope.raw, resource_version, out))
        .map_err(|why: &str| why.to_string())?;
    Ok(out.written().to_vec())
}

/// One event of a JSON watch: a line. `object` is the object's JSON, with or without newline at its end.
pub fn watch_frame_json(kind: &str, object: &[u8]) -> Vec<u8> {
    let object = object.trim_ascii_end();
    let mut out = Vec::with_capacity(object.len() + 40);
    out.extend_from_slice(b"{\"type\":");
    json::write_string(kind, &mut out);
    out.extend_from_slice(b",\"object\":");
    out.extend_from_slice(object);
    out.extend_from_slice(b"}\n");
    out
}

/// One event of a protobuf watch: four bytes of length, then the event with the object's envelope as raw bytes.
pub fn watch_frame_protobuf(kind: &str, envelope: &[u8]) -> Vec<u8> {
    let mut out = Backwards::with_capacity(envelope.len() + kind.len() + 32);
    let before = out.len();
    out.field(1, envelope);
    out.close(2, before);
    out.field(1, kind.as_bytes());
    let length = u32::try_from(out.len()).unwrap_or(u32::MAX);
    out.bytes(&length.to_be_bytes());
    out.written().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod_list() -> Gvk {
        Gvk::new("", "v1", "PodList")
    }

    #[test]
    fn lists_read_as_upstreams() {
        let metadata = ListMeta { resource_version: "7".into(), continue_token: "t".into(), remaining_item_count: 3 };
        let mut list = JsonList::typed(&pod_list(), &metadata);
        list.item().extend_from_slice(b"{}");
        list.item().extend_from_slice(b"{}");
        let want = r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"t","remainingItemCount":3},"items":[{},{}]}"#;
        assert_eq!(list.finish(), [want.as_bytes(), b"\n"].concat());
        let metadata = ListMeta { resource_version: "7".into(), ..ListMeta::default() };
        let list = JsonList::custom(&Gvk::new("g", "v1", "ThingList"), &metadata).finish();
        let want =
            r#"{"apiVersion":"g/v1","items":[],"kind":"ThingList","metadata":{"continue":"","resourceVersion":"7"}}"#;
        assert_eq!(list, [want.as_bytes(), b"\n"].concat());
    }

    #[test]
    fn a_protobuf_list_is_what_the_encoder_makes_of_the_tree() {
        let schema = schema::builtin();
        let ty = |kind| schema.kind(&Gvk::new("", "v1", kind)).expect("a kind");
        let pod = br#"{"metadata":{"name":"a"},"spec":{"nodeName":"n"}}"#;
        let pod = crate::decode_json(&schema, ty("Pod"), pod).expect("well formed").value;
        let message = crate::encode_message(&schema, ty("Pod"), &pod);
        let metadata = ListMeta { resource_version: "9".into(), ..ListMeta::default() };
        let got = list_protobuf(&pod_list(), &metadata, [(&message[..], "4"), (&message[..], "5")].into_iter());
        let text = r#"{"metadata":{"resourceVersion":"9"},"items":[
            {"metadata":{"name":"a","resourceVersion":"4"},"spec":{"nodeName":"n"}},
            {"metadata":{"name":"a","resourceVersion":"5"},"spec":{"nodeName":"n"}}]}"#;
        let list = crate::decode_json(&schema, ty("PodList"), text.as_bytes()).expect("well formed").value;
        let mut want = Vec::new();
        crate::encode_protobuf(&schema, ty("PodList"), &pod_list(), &list, &mut want);
        assert_eq!(got, Ok(want));
    }

    #[test]
    fn frames_have_their_length_first() {
        assert_eq!(watch_frame_json("ADDED", b"{}\n"), b"{\"type\":\"ADDED\",\"object\":{}}\n");
        assert_eq!(watch_frame_protobuf("A", b"xy"), b"\0\0\0\x09\x0a\x01A\x12\x04\x0a\x02xy");
    }
}
