//! Lists and watch frames put together from objects that are already encoded.

use crate::proto::{self, Backwards, Versioned};
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
    pub(crate) fn write_json(&self, always_continue: bool, out: &mut Vec<u8>) {
        let mut first = true;
        let mut key = |name: &str, out: &mut Vec<u8>| {
            out.push(if std::mem::take(&mut first) { b'{' } else { b',' });
            json::write_string(name, out);
            out.push(b':');
        };
        let typed = !always_continue;
        if typed && !self.resource_version.is_empty() {
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
        if first {
            out.push(b'{');
        }
        out.push(b'}');
    }
}

/// What is before and behind the items of a JSON list; between two items is a comma.
pub struct JsonList {
    pub head: Vec<u8>,
    /// With Go's newline at the end.
    pub tail: Vec<u8>,
}

impl JsonList {
    /// A list of a built-in kind: `kind`, `apiVersion`, `metadata`, `items`; the items have no kind of their own.
    pub fn typed(gvk: &Gvk, metadata: &ListMeta) -> JsonList {
        let mut head = b"{\"kind\":".to_vec();
        json::write_string(&gvk.kind, &mut head);
        head.extend_from_slice(b",\"apiVersion\":");
        json::write_string(&gvk.api_version(), &mut head);
        head.extend_from_slice(b",\"metadata\":");
        metadata.write_json(false, &mut head);
        head.extend_from_slice(b",\"items\":[");
        JsonList { head, tail: b"]}\n".to_vec() }
    }

    /// A list of custom resources: keys in order, `continue` always there, items with their kind.
    pub fn custom(gvk: &Gvk, metadata: &ListMeta) -> JsonList {
        let mut head = b"{\"apiVersion\":".to_vec();
        json::write_string(&gvk.api_version(), &mut head);
        head.extend_from_slice(b",\"items\":[");
        let mut tail = b"],\"kind\":".to_vec();
        json::write_string(&gvk.kind, &mut tail);
        tail.extend_from_slice(b",\"metadata\":");
        metadata.write_json(true, &mut tail);
        tail.extend_from_slice(b"}\n");
        JsonList { head, tail }
    }
}

/// What is before and behind the items of a list in its protobuf envelope; see [`Versioned::write_item`].
pub struct ProtobufList {
    pub head: Vec<u8>,
    pub tail: &'static [u8],
}

impl ProtobufList {
    /// `items_bytes` is the length of all items, each with what is around it.
    pub fn new(gvk: &Gvk, metadata: &ListMeta, items_bytes: usize) -> ProtobufList {
        let mut list_meta = Backwards::with_capacity(128);
        if metadata.remaining_item_count != 0 {
            list_meta.varint(metadata.remaining_item_count as u64);
            list_meta.tag(4, 0);
        }
        list_meta.field(3, metadata.continue_token.as_bytes());
        list_meta.field(2, metadata.resource_version.as_bytes());
        list_meta.field(1, b"");
        list_meta.close(1, 0);
        let mut head = Vec::new();
        proto::open_envelope(gvk, list_meta.len() + items_bytes, &mut head);
        head.extend_from_slice(list_meta.written());
        ProtobufList { head, tail: proto::ENVELOPE_END }
    }
}

/// An object in its envelope with its resourceVersion, from the envelope that is stored.
pub fn protobuf_with_resource_version(stored: &[u8], gvk: &Gvk, resource_version: &str) -> Result<Vec<u8>, String> {
    let object = Versioned::new(crate::Envelope::open(stored)?.raw, resource_version)?;
    Ok(object.in_envelope(gvk))
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

/// The object in what [`watch_frame_json`] made.
pub fn object_in_frame(frame: &[u8]) -> Option<&[u8]> {
    const KEY: &[u8] = b",\"object\":";
    let begin = frame.windows(KEY.len()).position(|part| part == KEY)? + KEY.len();
    frame.get(begin..)?.strip_suffix(b"}\n")
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
        let list = JsonList::typed(&pod_list(), &metadata);
        let want = r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"t","remainingItemCount":3},"items":[]}"#;
        assert_eq!([list.head, list.tail].concat(), [want.as_bytes(), b"\n"].concat());
        let metadata = ListMeta { resource_version: "7".into(), ..ListMeta::default() };
        let list = JsonList::custom(&Gvk::new("g", "v1", "ThingList"), &metadata);
        let want =
            r#"{"apiVersion":"g/v1","items":[],"kind":"ThingList","metadata":{"continue":"","resourceVersion":"7"}}"#;
        assert_eq!([list.head, list.tail].concat(), [want.as_bytes(), b"\n"].concat());
    }

    #[test]
    fn a_protobuf_list_is_what_the_encoder_makes_of_the_tree() {
        let schema = schema::builtin();
        let ty = |kind| schema.kind(&Gvk::new("", "v1", kind)).expect("a kind");
        let pod = br#"{"metadata":{"name":"a"},"spec":{"nodeName":"n"}}"#;
        let pod = crate::decode_json(&schema, ty("Pod"), pod).expect("well formed").value;
        let message = crate::encode_message(&schema, ty("Pod"), &pod);
        for (continue_token, remaining_item_count) in [("", 0), ("c", 300)] {
            let metadata =
                ListMeta { resource_version: "9".into(), continue_token: continue_token.into(), remaining_item_count };
            let items = ["4", "5"].map(|revision| Versioned::new(&message, revision).expect("well formed"));
            let list = ProtobufList::new(&pod_list(), &metadata, items.iter().map(Versioned::item_len).sum());
            let mut got = list.head;
            items.iter().for_each(|item| item.write_item(&mut got));
            got.extend_from_slice(list.tail);
            let text = format!(
                r#"{{"metadata":{{"resourceVersion":"9","continue":"{continue_token}","remainingItemCount":{remaining_item_count}}},"items":[
                {{"metadata":{{"name":"a","resourceVersion":"4"}},"spec":{{"nodeName":"n"}}}},
                {{"metadata":{{"name":"a","resourceVersion":"5"}},"spec":{{"nodeName":"n"}}}}]}}"#
            )
            .replace(",\"remainingItemCount\":0", "");
            let list = crate::decode_json(&schema, ty("PodList"), text.as_bytes()).expect("well formed").value;
            let mut want = Vec::new();
            crate::encode_protobuf(&schema, ty("PodList"), &pod_list(), &list, &mut want);
            assert_eq!(got, want);
        }
    }

    #[test]
    fn frames_have_their_length_first() {
        assert_eq!(watch_frame_json("ADDED", b"{}\n"), b"{\"type\":\"ADDED\",\"object\":{}}\n");
        assert_eq!(
            object_in_frame(&watch_frame_json("A", br#"{"a":{",\"object\":":1}}"#)),
            Some(&br#"{"a":{",\"object\":":1}}"#[..])
        );
        assert_eq!(watch_frame_protobuf("A", b"xy"), b"\0\0\0\x09\x0a\x01A\x12\x04\x0a\x02xy");
    }
}
