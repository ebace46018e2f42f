//! `zkSnapshotComparer.sh`: what differs between two snapshots, layer by layer.
//!
//! Source: `server.SnapshotComparer`.

use std::io::BufRead;
use std::time::Instant;

use super::tree::Tree;
use crate::failure::{Failure, Thrown};
use crate::java::path;
use crate::options::{self, Known};
use crate::out::Out;
use crate::properties::Properties;

const OPTIONS: [Known; 6] = [
    Known::value('l', "left").required(),
    Known::value('r', "right").required(),
    Known::value('b', "bytes").required(),
    Known::value('n', "nodes").required(),
    Known::flag('d', "debug"),
    Known::flag('i', "interactive"),
];

const HELP: &str = "\
usage: java -cp <classPath> org.apache.zookeeper.server.SnapshotComparer
 -b,--bytes <BYTETHRESHOLD>   (Required) The node data delta size threshold, in bytes, for printing the node.
 -d,--debug                   Use debug output.
 -i,--interactive             Enter interactive mode.
 -l,--left <LEFT>             (Required) The left snapshot file.
 -n,--nodes <NODETHRESHOLD>   (Required) The descendant node delta size threshold, in nodes, for printing the node.
 -r,--right <RIGHT>           (Required) The right snapshot file.
";

const MENU: &str = "\
- Press enter to move to print current depth layer;
- Type a number to jump to and print all nodes at a given depth;
- Enter an ABSOLUTE path to print the immediate subtree of a node. Path must start with '/'.
";

/// Runs the tool and gives its exit code.
pub(crate) fn run(words: &[String], properties: &Properties, out: &mut Out) -> Result<u8, Failure> {
    let given = match options::parse(&OPTIONS, words) {
        Ok(given) => given,
        Err(complaint) => {
            out.text(HELP);
            return Err(Failure::told(2, complaint));
        }
    };
    let value = |short| given.value(short).expect("a required option has a value");
    let number = |short| value(short).parse::<i32>().map_err(|_| Thrown::number(value(short)));
    let (bytes, nodes) = (i64::from(number('b')?), i64::from(number('n')?));
    out.text("Successfully parsed options!\n");
    let left = Side::load(value('l'), properties, out)?;
    let right = Side::load(value('r'), properties, out)?;
    left.show(out);
    right.show(out);
    let shows_filtered = given.has('d') || given.has('i');
    let comparison = Comparison { left, right, bytes, nodes, debug: given.has('d'), shows_filtered };
    match given.has('i') {
        true => comparison.interactive(out)?,
        false => comparison.all(out),
    }
    out.text("All layers compared.\n");
    Ok(0)
}

/// One znode and what lies below it.
struct Below {
    /// The bytes of all data, its own too.
    bytes: i64,
    /// The znodes, without itself.
    count: i64,
}

/// One of the two snapshots.
struct Side {
    tree: Tree,
    /// By the place of the znode in the tree.
    below: Vec<Below>,
    /// The znodes of each depth, sorted by path.
    layers: Vec<Vec<usize>>,
}

impl Side {
    fn load(file: &str, properties: &Properties, out: &mut Out) -> Result<Self, Thrown> {
        let file = path::normalized(file);
        let began = Instant::now();
        let tree = Tree::load(&file, false, properties)?;
        let took = began.elapsed().as_secs_f64();
        out.line(format_args!("Deserialized snapshot in {} in {took:.6} seconds", path::name(&file)));
        let began = Instant::now();
        let side = Self::of(tree);
        out.line(format_args!("Processed data tree in {:.6} seconds", began.elapsed().as_secs_f64()));
        Ok(side)
    }

    fn of(tree: Tree) -> Self {
        let root = tree.find("").expect("every loaded tree has a root");
        let walked: Vec<(usize, usize)> = tree.walk(root, |tree, at| tree.children(at).to_vec()).collect();
        let places = walked.iter().map(|(at, _)| at + 1).max().unwrap_or_default();
        let mut below: Vec<Below> = (0..places).map(|_| Below { bytes: 0, count: 0 }).collect();
        let mut layers: Vec<Vec<usize>> = Vec::new();
        // Children come behind their parents, so that from the end on each znode is complete when its turn comes.
        for &(at, depth) in walked.iter().rev() {
            let own = i64::try_from(tree.node(at).data_len).expect("no data is that long");
            let mut sum = Below { bytes: own, count: 0 };
            for &child in tree.children(at) {
                sum.bytes += below[child].bytes;
                sum.count += below[child].count + 1;
            }
            below[at] = sum;
            if layers.len() <= depth {
                layers.resize_with(depth + 1, Vec::new);
            }
            layers[depth].push(at);
        }
        for layer in &mut layers {
            sort(&tree, layer);
        }
        Self { tree, below, layers }
    }

    fn path(&self, at: usize) -> &str {
        &self.tree.node(at).path
    }

    fn layer(&self, depth: usize) -> &[usize] {
        self.layers.get(depth).map_or(&[], Vec::as_slice)
    }

    /// The children of a znode, sorted; `None` if there is no such znode. As in the original `/` is none: the root has
    /// an empty path.
    fn children(&self, path: &str) -> Option<Vec<usize>> {
        let at = self.tree.find(path).filter(|_| path != "/")?;
        let mut children = self.tree.children(at).to_vec();
        sort(&self.tree, &mut children);
        Some(children)
    }

    fn show(&self, out: &mut Out) {
        let count: usize = self.layers.iter().map(Vec::len).sum();
        let root = self.layers.first().and_then(|layer| layer.first());
        let bytes = root.map_or(0, |&root| self.below[root].bytes);
        out.line(format_args!("Node count: {count}"));
        out.line(format_args!("Total size: {bytes}"));
        out.line(format_args!("Max depth: {}", self.layers.len()));
        for (depth, layer) in self.layers.iter().enumerate() {
            out.line(format_args!("Count of nodes at depth {depth}: {}", layer.len()));
        }
        out.text("\n");
    }
}

fn sort(tree: &Tree, nodes: &mut [usize]) {
    nodes.sort_by(|&one, &other| tree.node(one).path.cmp(&tree.node(other).path));
}

/// Two snapshots and what of their difference is shown.
struct Comparison {
    left: Side,
    right: Side,
    /// Differences of more bytes are shown,
    bytes: i64,
    /// and of more znodes.
    nodes: i64,
    debug: bool,
    /// Show in short what is below both thresholds.
    shows_filtered: bool,
}

impl Comparison {
    fn depth(&self) -> usize {
        self.left.layers.len().max(self.right.layers.len())
    }

    fn all(&self, out: &mut Out) {
        self.show_thresholds(out);
        for depth in 0..self.depth() {
            self.show_layer(depth, out);
        }
    }

    fn interactive(&self, out: &mut Out) -> Result<(), Failure> {
        let mut lines = std::io::stdin().lock().lines();
        let mut current = 0;
        let last = self.depth() - 1;
        while current <= last {
            out.line(format_args!("Current depth is {current}\n{}", MENU.trim_end()));
            out.show();
            let Some(Ok(input)) = lines.next() else {
                let thrown = Thrown::no_input(Some("No line found"));
                return Err(thrown.at(|| "the end of the answers".into()).into());
            };
            self.show_thresholds(out);
            if input.is_empty() {
                self.show_layer(current, out);
                current += 1;
            } else if input.starts_with('/') {
                self.show_subtree(&input, out);
            } else {
                match input.parse::<i32>() {
                    Ok(depth) => match usize::try_from(depth).ok().filter(|&depth| depth <= last) {
                        Some(depth) => {
                            current = depth;
                            self.show_layer(current, out);
                        }
                        None => {
                            out.line(format_args!("Depth must be in range [0, {last}]"));
                            continue;
                        }
                    },
                    Err(_) => out.line(format_args!(
                        "Input {input} is not valid. Depth must be in range [0, {last}]. Path must be an absolute path \
                         which starts with '/'."
                    )),
                }
            }
            out.text("\n");
        }
        Ok(())
    }

    fn show_thresholds(&self, out: &mut Out) {
        let Self { bytes, nodes, .. } = self;
        out.line(format_args!(
            "Printing analysis for nodes difference larger than {bytes} bytes or node count difference larger than {nodes}."
        ));
    }

    fn show_layer(&self, depth: usize, out: &mut Out) {
        out.line(format_args!("Analysis for depth {depth}"));
        self.show_nodes(self.left.layer(depth), self.right.layer(depth), out);
    }

    fn show_subtree(&self, path: &str, out: &mut Out) {
        out.line(format_args!("Analysis for node {path}"));
        match (self.left.children(path), self.right.children(path)) {
            (None, None) => {
                out.line(format_args!("Path {path} is neither found in left tree nor right tree."));
            }
            (left, right) => {
                self.show_nodes(&left.unwrap_or_default(), &right.unwrap_or_default(), out);
            }
        }
    }

    /// Goes through two sorted lists at once.
    fn show_nodes(&self, mut left: &[usize], mut right: &[usize], out: &mut Out) {
        loop {
            match (left.split_first(), right.split_first()) {
                (None, None) => return,
                (Some((&one, rest)), None) => {
                    self.show_one(&self.left, "left", one, out);
                    left = rest;
                }
                (None, Some((&other, rest))) => {
                    self.show_one(&self.right, "right", other, out);
                    right = rest;
                }
                (Some((&one, left_rest)), Some((&other, right_rest))) => {
                    let (left_path, right_path) = (self.left.path(one), self.right.path(other));
                    let ordering = left_path.cmp(right_path);
                    if self.debug {
                        let verdict = match ordering {
                            std::cmp::Ordering::Less => "left is less",
                            std::cmp::Ordering::Greater => "right is less",
                            std::cmp::Ordering::Equal => "same",
                        };
                        out.line(format_args!("Comparing {left_path} to {right_path}\n{verdict}"));
                    }
                    if ordering.is_lt() {
                        self.show_one(&self.left, "left", one, out);
                    } else if ordering.is_gt() {
                        self.show_one(&self.right, "right", other, out);
                    } else {
                        self.show_both(one, other, out);
                    }
                    if ordering.is_le() {
                        left = left_rest;
                    }
                    if ordering.is_ge() {
                        right = right_rest;
                    }
                }
            }
        }
    }

    /// A znode that one side alone has.
    fn show_one(&self, side: &Side, name: &str, at: usize, out: &mut Out) {
        let (path, Below { bytes, count }) = (side.path(at), &side.below[at]);
        if *bytes > self.bytes || *count > self.nodes {
            out.line(format_args!(
                "Node {path} found only in {name} tree. Descendant size: {bytes}. Descendant count: {count}"
            ));
        } else if self.shows_filtered {
            out.line(format_args!("Filtered {name} node {path} of size {bytes}"));
        }
    }

    fn show_both(&self, one: usize, other: usize, out: &mut Out) {
        let (path, left, right) = (self.left.path(one), &self.left.below[one], &self.right.below[other]);
        let (bytes, count) = (right.bytes - left.bytes, right.count - left.count);
        if bytes.abs() > self.bytes || count.abs() > self.nodes {
            out.line(format_args!(
                "Node {path} found in both trees. Delta: {bytes} bytes, {count} descendants"
            ));
        } else if self.shows_filtered {
            let (left, right) = (left.bytes, right.bytes);
            out.line(format_args!("Filtered node {path} of left size {left}, right size {right}"));
        }
    }
}
