//! A persistent ordered map: a B+tree whose nodes are shared between versions.
//!
//! Cloning is one reference count. A change copies the nodes on one path, and only those that another version
//! still holds, so a batch of changes copies each node at most once. Every inner node counts its entries: ranks
//! (how many objects follow this page) cost one descent.

use std::borrow::Borrow;
use std::slice;
use std::sync::Arc;

/// Entries in a leaf and children in an inner node, at most.
const WIDTH: usize = 32;

/// An ordered map with constant-time clones.
#[derive(Debug)]
pub(crate) struct Tree<K, V> {
    root: Arc<Node<K, V>>,
    len: usize,
}

#[derive(Debug)]
enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    Inner(Vec<Child<K, V>>),
}

#[derive(Debug)]
struct Child<K, V> {
    /// No key below is smaller. Not always present any more: removing the first entry leaves it as a bound.
    first: K,
    len: usize,
    node: Arc<Node<K, V>>,
}

impl<K, V> Clone for Tree<K, V> {
    fn clone(&self) -> Self {
        Tree { root: self.root.clone(), len: self.len }
    }
}

impl<K, V> Default for Tree<K, V> {
    fn default() -> Self {
        Tree { root: Arc::new(Node::Leaf(Vec::new())), len: 0 }
    }
}

/// Copies are made to be changed, so they leave room for one entry and no more.
impl<K: Clone, V: Clone> Clone for Node<K, V> {
    fn clone(&self) -> Self {
        match self {
            Node::Leaf(entries) => Node::Leaf(with_room(entries)),
            Node::Inner(children) => Node::Inner(with_room(children)),
        }
    }
}

impl<K: Clone, V> Clone for Child<K, V> {
    fn clone(&self) -> Self {
        Child { first: self.first.clone(), len: self.len, node: self.node.clone() }
    }
}

fn with_room<T: Clone>(items: &[T]) -> Vec<T> {
    let mut copy = Vec::with_capacity(items.len() + 1);
    copy.extend_from_slice(items);
    copy
}

impl<K: Ord + Clone, V: Clone> Tree<K, V> {
    /// Builds from entries in strictly ascending order of key; faster than inserting and fills every node.
    pub(crate) fn from_sorted(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut entries = entries.into_iter();
        let mut level: Vec<Child<K, V>> = Vec::new();
        loop {
            let leaf: Vec<(K, V)> = entries.by_ref().take(WIDTH).collect();
            let Some(first) = leaf.first().map(|entry| entry.0.clone()) else { break };
            level.push(Child { first, len: leaf.len(), node: Arc::new(Node::Leaf(leaf)) });
        }
        let len = level.iter().map(|child| child.len).sum();
        while level.len() > 1 {
            let mut above = Vec::with_capacity(level.len() / WIDTH + 1);
            let mut below = level.into_iter();
            loop {
                let children: Vec<Child<K, V>> = below.by_ref().take(WIDTH).collect();
                if children.is_empty() {
                    break;
                }
                above.push(Child::over(Node::Inner(children)));
            }
            level = above;
        }
        match level.pop() {
            Some(child) => Tree { root: child.node, len },
            None => Tree::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Inner(children) => node = &children[child_of(children, key)].node,
                Node::Leaf(entries) => {
                    let at = entries.binary_search_by(|entry| entry.0.borrow().cmp(key)).ok()?;
                    return Some(&entries[at].1);
                }
            }
        }
    }

    /// The value of `key` for changing. Copies what other versions share.
    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        // Looked up first, so that a miss copies nothing.
        self.get(key)?;
        let mut node = Arc::make_mut(&mut self.root);
        loop {
            match node {
                Node::Inner(children) => {
                    let at = child_of(children, key);
                    node = Arc::make_mut(&mut children[at].node);
                }
                Node::Leaf(entries) => {
                    let at = entries.binary_search_by(|entry| entry.0.borrow().cmp(key)).ok()?;
                    return Some(&mut entries[at].1);
                }
            }
        }
    }

    /// Sets `key`; returns the value it had.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (old, split) = Arc::make_mut(&mut self.root).insert(key, value);
        if let Some(right) = split {
            let left = std::mem::replace(&mut self.root, Arc::new(Node::Leaf(Vec::new())));
            let left = Child { first: left.first_key().clone(), len: left.count(), node: left };
            self.root = Arc::new(Node::Inner(vec![left, right]));
        }
        self.len += usize::from(old.is_none());
        old
    }

    /// Removes `key`; returns the value it had.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.get(key)?;
        let old = Arc::make_mut(&mut self.root).remove(key)?;
        self.len -= 1;
        while let Node::Inner(children) = &*self.root {
            match children.as_slice() {
                [only] => self.root = only.node.clone(),
                [] => *self = Tree::default(),
                _ => break,
            }
        }
        Some(old)
    }

    /// Entries from `start` (included) on, in order.
    pub(crate) fn iter_from<Q: Ord + ?Sized>(&self, start: &Q) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let mut stack = Vec::new();
        let mut node = &*self.root;
        loop {
            match node {
                Node::Inner(children) => {
                    let at = child_of(children, start);
                    stack.push(children[at + 1..].iter());
                    node = &children[at].node;
                }
                Node::Leaf(entries) => {
                    let at = entries.partition_point(|entry| entry.0.borrow() < start);
                    return Iter { stack, leaf: entries[at..].iter() };
                }
            }
        }
    }

    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        Iter { stack: vec![], leaf: [].iter() }.descend(&self.root)
    }

    /// How many keys are smaller than `key`.
    pub(crate) fn rank<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        let (mut node, mut before) = (&*self.root, 0);
        loop {
            match node {
                Node::Inner(children) => {
                    let at = child_of(children, key);
                    before += children[..at].iter().map(|child| child.len).sum::<usize>();
                    node = &children[at].node;
                }
                Node::Leaf(entries) => {
                    return before + entries.partition_point(|entry| entry.0.borrow() < key);
                }
            }
        }
    }
}

/// The child that holds `key` if any does.
fn child_of<K: Borrow<Q>, V, Q: Ord + ?Sized>(children: &[Child<K, V>], key: &Q) -> usize {
    children.partition_point(|child| child.first.borrow() <= key).saturating_sub(1)
}

impl<K: Ord + Clone, V: Clone> Child<K, V> {
    fn over(node: Node<K, V>) -> Self {
        Child { first: node.first_key().clone(), len: node.count(), node: Arc::new(node) }
    }
}

impl<K: Ord + Clone, V: Clone> Node<K, V> {
    fn width(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Inner(children) => children.len(),
        }
    }

    fn count(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Inner(children) => children.iter().map(|child| child.len).sum(),
        }
    }

    /// Only for nodes that have entries; every node but an empty tree's root has.
    fn first_key(&self) -> &K {
        match self {
            Node::Leaf(entries) => &entries[0].0,
            Node::Inner(children) => &children[0].first,
        }
    }

    fn insert(&mut self, key: K, value: V) -> (Option<V>, Option<Child<K, V>>) {
        match self {
            Node::Leaf(entries) => match entries.binary_search_by(|entry| entry.0.cmp(&key)) {
                Ok(at) => (Some(std::mem::replace(&mut entries[at].1, value)), None),
                Err(at) => {
                    insert_tight(entries, at, (key, value));
                    (None, split_off(entries, at).map(|right| Child::over(Node::Leaf(right))))
                }
            },
            Node::Inner(children) => {
                let at = child_of(children, &key);
                let child = &mut children[at];
                if key < child.first {
                    child.first = key.clone();
                }
                let (old, split) = Arc::make_mut(&mut child.node).insert(key, value);
                child.len += usize::from(old.is_none());
                let Some(right) = split else { return (old, None) };
                child.len -= right.len;
                insert_tight(children, at + 1, right);
                (old, split_off(children, at + 1).map(|right| Child::over(Node::Inner(right))))
            }
        }
    }

    /// `key` is present.
    fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Node::Leaf(entries) => {
                let at = entries.binary_search_by(|entry| entry.0.borrow().cmp(key)).ok()?;
                Some(entries.remove(at).1)
            }
            Node::Inner(children) => {
                let at = child_of(children, key);
                let old = Arc::make_mut(&mut children[at].node).remove(key)?;
                children[at].len -= 1;
                if children[at].len == 0 {
                    children.remove(at);
                } else if children[at].node.width() < WIDTH / 4 {
                    merge(children, at);
                }
                Some(old)
            }
        }
    }
}

/// Joins the thin child `at` with a neighbour when both fit well into one node.
fn merge<K: Ord + Clone, V: Clone>(children: &mut Vec<Child<K, V>>, at: usize) {
    let left = if at > 0 { at - 1 } else { at };
    let (Some(a), Some(b)) = (children.get(left), children.get(left + 1)) else { return };
    if a.node.width() + b.node.width() > WIDTH * 3 / 4 {
        return;
    }
    let right = children.remove(left + 1);
    children[left].len += right.len;
    match (Arc::make_mut(&mut children[left].node), &*right.node) {
        (Node::Leaf(into), Node::Leaf(from)) => into.extend_from_slice(from),
        (Node::Inner(into), Node::Inner(from)) => into.extend_from_slice(from),
        _ => unreachable!("all leaves are equally deep"),
    }
}

/// Inserts without doubling the capacity: most nodes are written once and kept for long.
fn insert_tight<T>(items: &mut Vec<T>, at: usize, item: T) {
    if items.len() == items.capacity() {
        items.reserve_exact(4);
    }
    items.insert(at, item);
}

/// The right part of an overfull node. One that grew at its end keeps everything else, so that ascending inserts fill nodes.
fn split_off<T>(items: &mut Vec<T>, inserted_at: usize) -> Option<Vec<T>> {
    if items.len() <= WIDTH {
        return None;
    }
    let keep = if inserted_at + 1 == items.len() { WIDTH } else { WIDTH / 2 };
    let right = items.split_off(keep);
    items.shrink_to_fit();
    Some(right)
}

/// Entries in ascending order.
pub(crate) struct Iter<'a, K, V> {
    stack: Vec<slice::Iter<'a, Child<K, V>>>,
    leaf: slice::Iter<'a, (K, V)>,
}

impl<'a, K, V> Iter<'a, K, V> {
    fn descend(mut self, node: &'a Node<K, V>) -> Self {
        self.enter(node);
        self
    }

    fn enter(&mut self, mut node: &'a Node<K, V>) {
        loop {
            match node {
                Node::Leaf(entries) => {
                    self.leaf = entries.iter();
                    return;
                }
                Node::Inner(children) => {
                    let mut children = children.iter();
                    let Some(first) = children.next() else { return };
                    self.stack.push(children);
                    node = &first.node;
                }
            }
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                return Some((key, value));
            }
            let children = self.stack.last_mut()?;
            match children.next() {
                Some(child) => self.enter(&child.node),
                None => {
                    self.stack.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A small generator: the same numbers for the same seed, everywhere.
    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    fn check(tree: &Tree<u64, u64>, model: &BTreeMap<u64, u64>, probe: u64) {
        assert_eq!(tree.len(), model.len());
        assert!(tree.iter().eq(model.iter()), "same entries in order");
        assert!(tree.iter_from(&probe).eq(model.range(probe..)), "same entries from {probe}");
        assert_eq!(tree.rank(&probe), model.range(..probe).count());
        assert_eq!(tree.get(&probe), model.get(&probe));
    }

    #[test]
    fn behaves_as_a_sorted_map_and_keeps_old_versions() {
        for seed in 1..=6u64 {
            let mut state = seed * 0x9E37_79B9;
            let (mut tree, mut model) = (Tree::default(), BTreeMap::new());
            let mut kept: Vec<(Tree<u64, u64>, BTreeMap<u64, u64>)> = Vec::new();
            let span = [8, 100, 3000][seed as usize % 3];
            for step in 0..4000u64 {
                let key = random(&mut state) % span;
                // Phases of growing and shrinking, so that nodes split and merge.
                if random(&mut state) % 10 < if (step / 1000) % 2 == 0 { 7 } else { 2 } {
                    assert_eq!(tree.insert(key, step), model.insert(key, step), "seed {seed}");
                } else {
                    assert_eq!(tree.remove(&key), model.remove(&key), "seed {seed}");
                }
                if let Some(value) = tree.get_mut(&(key / 2)) {
                    *value += 1;
                    *model.get_mut(&(key / 2)).unwrap() += 1;
                }
                if step % 397 == 0 {
                    kept.push((tree.clone(), model.clone()));
                    check(&tree, &model, key);
                }
            }
            for (tree, model) in &kept {
                check(tree, model, span / 2);
            }
        }
    }

    #[test]
    fn builds_from_sorted_entries() {
        for count in [0u64, 1, 31, 32, 33, 1024, 1025, 5000] {
            let model: BTreeMap<u64, u64> = (0..count).map(|n| (n * 2, n)).collect();
            let mut tree = Tree::from_sorted(model.clone());
            check(&tree, &model, count);
            tree.insert(7, 7);
            assert_eq!(tree.get(&7), Some(&7));
        }
    }

    #[test]
    fn ascending_inserts_fill_the_leaves() {
        let mut tree = Tree::default();
        for n in 0..10_000u64 {
            tree.insert(n, ());
        }
        fn leaves<K, V>(node: &Node<K, V>) -> usize {
            match node {
                Node::Leaf(_) => 1,
                Node::Inner(children) => children.iter().map(|child| leaves(&child.node)).sum(),
            }
        }
        assert_eq!(leaves(&tree.root), 10_000usize.div_ceil(WIDTH));
    }
}
