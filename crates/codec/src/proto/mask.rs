//! A message cut down to what some paths lead to, so that a decode costs what is asked for.

use super::wire::{Fields, Malformed, Wire};
use schema::{Schema, Shape, TypeId};

/// Which fields of a message stay.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mask {
    /// By number.
    fields: Vec<(u32, Keep)>,
    /// Whether others stay.
    others: bool,
}

#[derive(Clone, Debug)]
enum Keep {
    None,
    All,
    Part(Mask),
}

impl Mask {
    /// Fields at dotted paths of JSON names; in lists, of every item. Names that the types do not have lead nowhere.
    pub(crate) fn of(schema: &Schema, ty: TypeId, paths: &[&str]) -> Mask {
        let mut mask = Mask::default();
        for path in paths {
            mask.add(schema, ty, path);
        }
        mask
    }

    /// Everything but who manages which fields.
    pub(crate) fn without_managed_fields() -> Mask {
        const METADATA: u32 = 1;
        const MANAGED_FIELDS: u32 = 17;
        let metadata = Mask { fields: vec![(MANAGED_FIELDS, Keep::None)], others: true };
        Mask { fields: vec![(METADATA, Keep::Part(metadata))], others: true }
    }

    fn add(&mut self, schema: &Schema, ty: TypeId, path: &str) {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let Some(field) = schema.ty(ty).field(name) else { return };
        let mut numbers = field.path().peekable();
        let mut mask = self;
        while let Some(number) = numbers.next() {
            let keep = mask.keep(number);
            if numbers.peek().is_none() {
                let inner = match &field.shape {
                    Shape::List(item) => item,
                    shape => shape,
                };
                match (inner, rest, keep) {
                    (_, _, Keep::All) => {}
                    (Shape::Object(id), Some(rest), Keep::Part(inner)) => inner.add(schema, *id, rest),
                    (_, _, keep) => *keep = Keep::All,
                }
                return;
            }
            match keep {
                Keep::Part(inner) => mask = inner,
                _ => return,
            }
        }
    }

    fn keep(&mut self, number: u32) -> &mut Keep {
        let at = self.fields.iter().position(|(known, _)| *known == number).unwrap_or_else(|| {
            self.fields.push((number, Keep::Part(Mask::default())));
            self.fields.len() - 1
        });
        &mut self.fields[at].1
    }

    /// Appends what stays of a message.
    pub(crate) fn cut(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut fields = Fields::new(message);
        loop {
            let before = fields.rest();
            let Some((number, wire)) = fields.next()? else { return Ok(()) };
            let whole = before.get(..before.len() - fields.rest().len()).unwrap_or(&[]);
            let keep = self.fields.iter().find(|(known, _)| *known == number).map(|(_, keep)| keep);
            match (keep, wire) {
                (Some(Keep::None), _) => {}
                (None, _) if !self.others => {}
                (Some(Keep::Part(mask)), Wire::Bytes(inner)) => {
                    let tag = whole.iter().position(|byte| *byte < 0x80).map_or(0, |last| last + 1);
                    out.extend_from_slice(whole.get(..tag).unwrap_or(&[]));
                    // A length of four bytes, whatever it will be.
                    let begin = out.len() + 4;
                    out.extend_from_slice(&[0; 4]);
                    mask.cut(inner, out)?;
                    let length = out.len() - begin;
                    let digits = [0, 7, 14, 21].map(|shift| (length >> shift) as u8 & 0x7f);
                    for (slot, digit) in out.iter_mut().skip(begin - 4).zip(digits) {
                        *slot = digit | 0x80;
                    }
                    if let Some(last) = out.get_mut(begin - 1) {
                        *last &= 0x7f;
                    }
                }
                _ => out.extend_from_slice(whole),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::Gvk;

    #[test]
    fn what_stays_decodes_to_the_fields_asked_for() {
        let schema = schema::builtin();
        let ty = schema.kind(&Gvk::new("", "v1", "Pod")).expect("Pod");
        let text = br#"{"metadata":{"name":"a","labels":{"l":"x"},"managedFields":[{"manager":"m"}]},"spec":{"nodeName":"n","containers":[
            {"name":"c","image":"i"},{"name":"d","image":"i"}],"volumes":[{"name":"v","hostPath":{"path":"/p","type":""}}],
            "hostNetwork":true},"status":{"phase":"Running"}}"#;
        let pod = crate::decode_json(&schema, ty, text).expect("well formed").value;
        let message = crate::encode_message(&schema, ty, &pod);
        let cut = |mask: &Mask| {
            let mut out = Vec::new();
            mask.cut(&message, &mut out).expect("well formed");
            super::super::read::decode_message(&schema, ty, &out).expect("well formed")
        };
        let paths = [
            "metadata.name",
            "spec.containers.name",
            "spec.volumes.hostPath.path",
            "status",
            "spec.nope",
            "status.phase",
        ];
        let got = cut(&Mask::of(&schema, ty, &paths));
        let want = br#"{"metadata":{"name":"a"},"spec":{"containers":[{"name":"c"},{"name":"d"}],
            "volumes":[{"name":"","hostPath":{"path":"/p"}}]},"status":{"phase":"Running"}}"#;
        assert_eq!(got, crate::decode_json(&schema, ty, want).expect("well formed").value);
        let mut want = pod.clone();
        want.entry("metadata").remove("managedFields");
        assert_eq!(cut(&Mask::without_managed_fields()), want);
    }
}
