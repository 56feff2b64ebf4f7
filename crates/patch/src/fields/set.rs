//! A set of field paths and its algebra (upstream: structured-merge-diff/fieldpath). A set is a tree; every operation is
//! one pass over both trees.

use super::element::{self, Element};
use meta::json::{self, Lexer, SyntaxError, Token};
use meta::{Raw, Value};
use std::cmp::Ordering;

/// Field paths as a tree: nodes sorted by their element's text, each element once, no node that says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Set {
    pub nodes: Vec<Node>,
}

/// An element at some depth: whether the path that ends here is in the set, and the longer paths that are.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub element: Element,
    pub member: bool,
    pub children: Set,
}

impl Set {
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many paths the set holds.
    pub fn len(&self) -> usize {
        self.nodes.iter().map(|n| usize::from(n.member) + n.children.len()).sum()
    }

    pub fn get(&self, element: &str) -> Option<&Node> {
        let at = self.nodes.binary_search_by(|n| n.element.as_str().cmp(element)).ok()?;
        self.nodes.get(at)
    }

    pub fn contains(&self, path: &[&str]) -> bool {
        let Some((first, rest)) = path.split_first() else { return false };
        self.get(first).is_some_and(|n| if rest.is_empty() { n.member } else { n.children.contains(rest) })
    }

    /// Adds a node at the end or, when it arrives out of order, where it belongs. One that says nothing is dropped.
    pub fn push(&mut self, node: Node) {
        if !node.member && node.children.is_empty() {
            return;
        }
        match self.nodes.last() {
            Some(last) if last.element >= node.element => {
                let mut one = Set { nodes: vec![node] };
                std::mem::swap(self, &mut one);
                let all = std::mem::take(&mut one);
                self.merge(all);
            }
            _ => self.nodes.push(node),
        }
    }

    /// Sorts nodes that were pushed to `nodes` in any order, each element once.
    pub fn sort(&mut self) {
        self.nodes.sort_by(|a, b| a.element.cmp(&b.element));
    }

    /// Adds one path.
    pub fn insert(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else { return };
        let at = match self.nodes.binary_search_by(|n| n.element.as_str().cmp(first)) {
            Ok(at) => at,
            Err(at) => {
                let node = Node { element: Element::from(*first), member: false, children: Set::default() };
                self.nodes.insert(at, node);
                at
            }
        };
        if let Some(node) = self.nodes.get_mut(at) {
            if rest.is_empty() {
                node.member = true;
            } else {
                node.children.insert(rest);
            }
        }
    }

    /// Adds all of `other` (union).
    pub fn merge(&mut self, other: Set) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            *self = other;
            return;
        }
        let mut merged = Vec::with_capacity(self.nodes.len() + other.nodes.len());
        let mut theirs = other.nodes.into_iter().peekable();
        for mut node in std::mem::take(&mut self.nodes) {
            while let Some(before) = theirs.next_if(|n| n.element < node.element) {
                merged.push(before);
            }
            if let Some(same) = theirs.next_if(|n| n.element == node.element) {
                node.member |= same.member;
                node.children.merge(same.children);
            }
            merged.push(node);
        }
        merged.extend(theirs);
        self.nodes = merged;
    }

    /// The paths in both.
    pub fn intersection(&self, other: &Set) -> Set {
        let mut out = Set::default();
        self.zip(other, |mine, theirs| {
            if let (Some(mine), Some(theirs)) = (mine, theirs) {
                let member = mine.member && theirs.member;
                let children = mine.children.intersection(&theirs.children);
                if member || !children.is_empty() {
                    out.nodes.push(Node { element: mine.element.clone(), member, children });
                }
            }
        });
        out
    }

    /// Whether every path is in `other`.
    pub fn is_within(&self, other: &Set) -> bool {
        let mut theirs = other.nodes.iter();
        self.nodes.iter().all(|node| {
            let found = theirs.find(|n| n.element >= node.element).filter(|n| n.element == node.element);
            found.is_some_and(|n| (n.member || !node.member) && node.children.is_within(&n.children))
        })
    }

    /// Removes the paths of `other`; what lies below them stays.
    pub fn remove(&mut self, other: &Set) {
        self.retain_with(other, |node, theirs| {
            node.member &= !theirs.member;
            node.children.remove(&theirs.children);
            node.member || !node.children.is_empty()
        });
    }

    /// Removes the paths of `other` and everything below them.
    pub fn remove_trees(&mut self, other: &Set) {
        self.retain_with(other, |node, theirs| {
            if theirs.member {
                return false;
            }
            node.children.remove_trees(&theirs.children);
            node.member || !node.children.is_empty()
        });
    }

    /// Only the paths that end in this set: those without longer ones below.
    pub fn leaves(&self) -> Set {
        let nodes = self.nodes.iter().map(|n| Node {
            element: n.element.clone(),
            member: n.member && n.children.is_empty(),
            children: n.children.leaves(),
        });
        Set { nodes: nodes.collect() }
    }

    /// Calls `keep` for each node that `other` has too; the rest stays.
    fn retain_with(&mut self, other: &Set, mut keep: impl FnMut(&mut Node, &Node) -> bool) {
        if other.is_empty() {
            return;
        }
        let mut theirs = other.nodes.iter().peekable();
        self.nodes.retain_mut(|node| {
            while theirs.next_if(|n| n.element < node.element).is_some() {}
            match theirs.peek() {
                Some(same) if same.element == node.element => keep(node, same),
                _ => true,
            }
        });
    }

    /// Calls `visit` for each element of either set, in order.
    fn zip<'a>(&'a self, other: &'a Set, mut visit: impl FnMut(Option<&'a Node>, Option<&'a Node>)) {
        let (mut a, mut b) = (self.nodes.iter().peekable(), other.nodes.iter().peekable());
        loop {
            let order = match (a.peek(), b.peek()) {
                (Some(x), Some(y)) => x.element.cmp(&y.element),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return,
            };
            match order {
                Ordering::Less => visit(a.next(), None),
                Ordering::Greater => visit(None, b.next()),
                Ordering::Equal => visit(a.next(), b.next()),
            }
        }
    }

    /// Every path in upstream's order: of each level first the members, then what lies below.
    pub fn visit_paths<'a>(&'a self, prefix: &mut Vec<&'a str>, visit: &mut impl FnMut(&[&'a str])) {
        let mut nodes: Vec<&Node> = self.nodes.iter().collect();
        nodes.sort_by(|a, b| element::compare(&a.element, &b.element));
        for node in nodes.iter().filter(|n| n.member) {
            prefix.push(&node.element);
            visit(prefix);
            prefix.pop();
        }
        for node in nodes {
            prefix.push(&node.element);
            node.children.visit_paths(prefix, visit);
            prefix.pop();
        }
    }

    /// From stored `fieldsV1`, which this project or upstream wrote: its elements are canonical.
    pub fn from_stored(fields: &Value) -> Set {
        if let Value::Raw(raw) = fields {
            return Set::from_text(raw.text()).unwrap_or_default();
        }
        let entries = fields.entries();
        let mut nodes = Vec::with_capacity(entries.len());
        for (key, below) in entries.filter(|(key, _)| *key != ".") {
            let children = Set::from_stored(below);
            let member = children.is_empty() || below.get(".").is_some();
            nodes.push(Node { element: key.into(), member, children });
        }
        Set { nodes }
    }

    /// From a client's `fieldsV1`. Elements of unknown kinds are dropped.
    ///
    /// # Errors
    /// The text of an element is malformed, or a node is no object.
    pub fn decode(fields: &Value) -> Result<Set, String> {
        let mut out = Set::default();
        if !matches!(fields.plain(), Value::Object(_) | Value::Null) {
            return Err("expected an object".to_string());
        }
        for (key, below) in fields.entries().filter(|(key, _)| *key != ".") {
            if element::check_element(key)? {
                let children = Set::decode(below)?;
                let member = children.is_empty() || below.get(".").is_some();
                out.nodes.push(Node { element: key.into(), member, children });
            }
        }
        Ok(out)
    }

    /// The same from its text, without a tree in between.
    fn from_text(text: &str) -> Result<Set, SyntaxError> {
        let mut lexer = Lexer::new(text);
        let (set, _) = read(&mut lexer)?;
        lexer.end().map(|()| set)
    }

    /// As `fieldsV1` holds it.
    pub fn to_value(&self) -> Value {
        let mut text = Vec::with_capacity(1024);
        self.write(false, &mut text);
        Value::Raw(Raw::new(String::from_utf8(text).unwrap_or_default()))
    }

    /// `member`: whether the path that ends here is in the set, which is to be said only where longer ones are, too.
    fn write(&self, member: bool, out: &mut Vec<u8>) {
        out.push(b'{');
        let named = member && !self.nodes.is_empty();
        if named {
            out.extend_from_slice(b"\".\":{}");
        }
        for (i, node) in self.nodes.iter().enumerate() {
            if named || i > 0 {
                out.push(b',');
            }
            json::write_string(&node.element, out);
            out.push(b':');
            node.children.write(node.member, out);
        }
        out.push(b'}');
    }
}

/// The set of an object in `fieldsV1`, and whether the object's own path is in it.
fn read(lexer: &mut Lexer) -> Result<(Set, bool), SyntaxError> {
    let (mut nodes, mut named, mut first) = (Vec::new(), false, true);
    if lexer.peek()? != Token::Object {
        lexer.skip()?;
        return Ok((Set::default(), false));
    }
    lexer.open()?;
    while let Some(key) = lexer.key(first)? {
        first = false;
        if key == "." {
            lexer.skip()?;
            named = true;
            continue;
        }
        let (children, named_below) = read(lexer)?;
        let member = named_below || children.is_empty();
        nodes.push(Node { element: key.into(), member, children });
    }
    let mut set = Set { nodes };
    // Upstream sorts elements by what they mean. Of equal keys the last one counts, as everywhere.
    if !set.nodes.is_sorted_by(|a, b| a.element < b.element) {
        set.sort();
        set.nodes.dedup_by(|later, earlier| {
            let same = later.element == earlier.element;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
    }
    Ok((set, named))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    fn set(paths: &[&[&str]]) -> Set {
        let mut out = Set::default();
        paths.iter().for_each(|p| out.insert(p));
        out
    }

    fn paths(set: &Set) -> Vec<String> {
        let mut out = Vec::new();
        set.visit_paths(&mut Vec::new(), &mut |p| out.push(p.join("/")));
        out.sort();
        out
    }

    /// Pseudo-random sets over a small universe, so that the operations meet often.
    fn arbitrary(seed: &mut u64) -> Set {
        let mut out = Set::default();
        let mut next = |n: u64| {
            *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (*seed >> 33) % n
        };
        let names = ["f:a", "f:b", "k:{\"n\":1}", "v:2"];
        for _ in 0..next(12) {
            let path: Vec<&str> = (0..1 + next(3)).map(|_| names[next(4) as usize]).collect();
            out.insert(&path);
        }
        out
    }

    #[test]
    fn fields_v1_round_trips() {
        let v = value!({"f:a": {".": {}, "f:b": {}}, "f:c": {"k:{\"n\":1}": {}}});
        let set = Set::decode(&v).unwrap();
        assert_eq!(paths(&set), ["f:a", "f:a/f:b", "f:c/k:{\"n\":1}"]);
        assert_eq!(set.to_value(), v);
        assert_eq!(Set::from_stored(&v), set);
    }

    #[test]
    fn set_algebra_holds_on_paths() {
        let mut seed = 7;
        for _ in 0..2000 {
            let (a, b) = (arbitrary(&mut seed), arbitrary(&mut seed));
            let (in_a, in_b) = (paths(&a), paths(&b));
            let mut union = a.clone();
            union.merge(b.clone());
            let mut minus = a.clone();
            minus.remove(&b);
            let both = a.intersection(&b);
            let mut want: Vec<String> = in_a.iter().chain(&in_b).cloned().collect();
            want.sort();
            want.dedup();
            assert_eq!(paths(&union), want);
            assert_eq!(paths(&minus), in_a.iter().filter(|p| !in_b.contains(p)).cloned().collect::<Vec<_>>());
            assert_eq!(paths(&both), in_a.iter().filter(|p| in_b.contains(p)).cloned().collect::<Vec<_>>());
            let mut back = minus.clone();
            back.merge(both);
            assert_eq!(back, a, "difference and intersection make up the set again");
            let mut pruned = a.clone();
            pruned.remove_trees(&b);
            let below = |p: &String| in_b.iter().any(|q| p == q || p.starts_with(&format!("{q}/")));
            assert_eq!(paths(&pruned), in_a.iter().filter(|p| !below(p)).cloned().collect::<Vec<_>>());
            assert_eq!(Set::from_stored(&union.to_value()), union);
        }
    }

    #[test]
    fn leaves_have_nothing_below() {
        let s = set(&[&["f:a"], &["f:a", "f:b"], &["f:c"]]);
        assert_eq!(paths(&s.leaves()), ["f:a/f:b", "f:c"]);
    }
}
