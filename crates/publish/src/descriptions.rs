//! The descriptions of built-in types and fields: compressed in the program, decoded for the making of a document.
//!
//! Text of blocks in order of type name: `\1TYPE`, then `\2FIELD\3DESCRIPTION` for each field that has one; the field of the
//! type's own description is "".

use flate2::read::ZlibDecoder;
use std::io::Read;
use std::ops::Range;

/// All descriptions, about 1.5 MB: to be dropped when the document is made.
pub(crate) struct Descriptions {
    text: String,
    /// One range of `text` per type, without its `\1`, in order of name.
    blocks: Vec<Range<usize>>,
}

const COMPRESSED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptions.z"));

impl Descriptions {
    pub fn load() -> Descriptions {
        let mut text = String::new();
        if let Err(why) = ZlibDecoder::new(COMPRESSED).read_to_string(&mut text) {
            panic!("the descriptions compiled into this program cannot be read: {why}");
        }
        let starts: Vec<usize> = text.match_indices('\u{1}').map(|(at, _)| at + 1).collect();
        let ends = starts.iter().skip(1).map(|at| at - 1).chain([text.len()]);
        let blocks = starts.iter().zip(ends).map(|(start, end)| *start..end).collect();
        Descriptions { text, blocks }
    }

    /// Of a type.
    pub fn ty(&self, name: &str) -> Option<&str> {
        self.field(name, "")
    }

    /// Of a field of a type.
    pub fn field(&self, name: &str, field: &str) -> Option<&str> {
        let block = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
        let type_name = |range: &Range<usize>| block(range).split('\u{2}').next().unwrap_or_default();
        let at = self.blocks.binary_search_by(|range| type_name(range).cmp(name)).ok()?;
        let fields = block(self.blocks.get(at)?).split('\u{2}').skip(1);
        fields.filter_map(|f| f.split_once('\u{3}')).find(|(name, _)| *name == field).map(|(_, text)| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_fields_and_lists_are_described() {
        let descriptions = Descriptions::load();
        let starts = |text: Option<&str>, with: &str| assert!(text.is_some_and(|t| t.starts_with(with)), "{text:?}");
        starts(descriptions.ty("io.k8s.api.core.v1.Pod"), "Pod is a collection of containers");
        starts(descriptions.field("io.k8s.api.core.v1.PodList", "items"), "List of pods.");
        starts(descriptions.field("io.k8s.apimachinery.pkg.apis.meta.v1.ListOptions", "watch"), "Watch for changes");
        assert_eq!(descriptions.field("io.k8s.api.core.v1.Pod", "none"), None);
    }
}
