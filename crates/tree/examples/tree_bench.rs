//! Times the tree alone: creates, finds, sets, loading, a snapshot beside nothing, and bytes per znode.
#![expect(clippy::print_stdout, reason = "a program that shows figures")]

use std::time::{Duration, Instant};

use proto::{CreateTxn, Entry, SessionId, SetDataTxn, StatPersisted, Txn, TxnHeader, Zxid};
use tree::{Tree, TreeLoader, TreeOptions};

const OPTIONS: TreeOptions =
    TreeOptions { hash_seed: 0x5eed, extended_types: false, emulate_353_ttl: false, digest: true };

fn entry(zxid: i64, txn: Txn<'_>) -> Entry<'_> {
    let kind = txn.kind().number();
    let header =
        TxnHeader { session: SessionId(1), cxid: 0, zxid: Zxid(zxid), time: 1_700_000_000_000, kind };
    Entry { header, txn, digest: None }
}

fn create<'a>(zxid: i64, path: &'a str, data: &'a [u8]) -> Entry<'a> {
    let acl = Some(vec![proto::Acl::open()]);
    let path = Some(path.into());
    entry(zxid, Txn::Create(CreateTxn { path, data: Some(data), acl, ephemeral: false, parent_cversion: -1 }))
}

/// Time this thread has spent on a processor: what others run at the same time counts for little.
fn on_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    let nanos = text.split(' ').next().and_then(|first| first.parse().ok()).expect("a number stands first");
    Duration::from_nanos(nanos)
}

/// What the system has given this process, resident now.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    4096 * text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok())
        .expect("a number stands second")
}

fn timed<T>(what: &str, n: usize, run: impl FnOnce() -> T) -> T {
    let start = on_cpu();
    let value = run();
    let spent = on_cpu() - start;
    println!("{what:40} {:6} ns each, {spent:?} in all", spent.as_nanos() / n.max(1) as u128);
    value
}

fn run(shape: &str, n: usize, fan_out: usize, name_len: usize, data: &[u8]) {
    println!("{shape}: {n} znodes, {fan_out} per parent");
    let mut tree = Tree::new(OPTIONS);
    let mut zxid = 0;
    let mut next = || {
        zxid += 1;
        zxid
    };
    tree.apply(&create(next(), "/b", b""), &mut ()).expect("a create");
    let parents: Vec<String> = (0..n.div_ceil(fan_out)).map(|p| format!("/b/p{p:07}")).collect();
    for parent in &parents {
        tree.apply(&create(next(), parent, b""), &mut ()).expect("a create");
    }
    let paths: Vec<String> = (0..n).map(|i| format!("{}/{i:0name_len$}", parents[i / fan_out])).collect();
    let before = tree.memory_bytes();
    timed("create, with digest", n, || {
        for path in &paths {
            tree.apply(&create(next(), path, data), &mut ()).expect("a create");
        }
    });
    println!("{:40} {:6.1} bytes each", "memory", (tree.memory_bytes() - before) as f64 / n as f64);
    let mut worst = 0;
    let mut at = 1_usize;
    let mut hop = || {
        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (at >> 20) % n
    };
    timed("find, all over", n, || {
        (0..n).for_each(|_| worst += tree.find(&paths[hop()]).expect("there").number() as usize)
    });
    timed("find, 1000 warm", n, || {
        (0..n).for_each(|i| worst += tree.find(&paths[i % 1000]).expect("there").number() as usize)
    });
    timed("find, stat and data, 1000 warm", n, || {
        for i in 0..n {
            let node = tree.node(tree.find(&paths[i % 1000]).expect("there"));
            worst += node.data().map_or(0, <[u8]>::len)
                + usize::try_from(node.stat().num_children).expect("a count");
        }
    });
    let set = |zxid, path: &str, data: &[u8], tree: &mut Tree| {
        let txn = Txn::SetData(SetDataTxn { path: Some(path.into()), data: Some(data), version: 1 });
        tree.apply(&entry(zxid, txn), &mut ()).expect("a set");
    };
    timed("setData, 1000 warm", n, || (0..n).for_each(|i| set(next(), &paths[i % 1000], data, &mut tree)));
    let resident = resident_bytes();
    timed("setData, all over, twice each", 2 * n, || {
        (0..2 * n).for_each(|_| set(next(), &paths[hop()], data, &mut tree));
    });
    println!(
        "{:40} {:6.1} bytes each, {:.1} more from the system",
        "memory after overwriting",
        tree.memory_bytes() as f64 / n as f64,
        (resident_bytes() as f64 - resident as f64) / n as f64
    );
    let mut out = Vec::with_capacity(256 * n);
    let (walk, head) = tree.snapshot_begin();
    timed("snapshot", n, || while !tree.snapshot_step(walk, 1000, &mut out) {});
    let mut records = Vec::with_capacity(n);
    let mut reader = proto::Reader::new(&out);
    while !reader.rest().is_empty() {
        let path = std::str::from_utf8(reader.take::<proto::Buffer<'_>>().expect("path").expect("path"))
            .expect("text");
        let data: proto::Buffer<'_> = reader.take().expect("data");
        records.push((
            path,
            data,
            reader.take::<i64>().expect("acl"),
            reader.take::<StatPersisted>().expect("stat"),
        ));
    }
    let loaded = timed("load", n, || {
        let mut loader = TreeLoader::new(OPTIONS);
        for (path, data, acl, stat) in &records {
            loader.add_node(path, *data, *acl, stat).expect("a znode");
        }
        loader.finish(head.zxid).expect("a tree")
    });
    assert_eq!(loaded.digest(), head.digest);
    println!("{:40} {:6.1} bytes each", "memory after loading", loaded.memory_bytes() as f64 / n as f64);
    let mut extra = Tree::new(OPTIONS);
    let mut each: Vec<Duration> = Vec::with_capacity(n);
    for path in &paths {
        let flat = format!("/{}", path.rsplit_once('/').expect("a path").1);
        let create = create(next(), &flat, data);
        let start = Instant::now();
        extra.apply(&create, &mut ()).expect("a create");
        each.push(start.elapsed());
    }
    each.sort_unstable();
    println!(
        "one create of all under one parent: p99.9 {:?}, p99.99 {:?}",
        each[n - n / 1000],
        each[n - n / 10_000]
    );
    assert_ne!(worst, 0);
}

fn main() {
    run("shape A", 1_000_000, 1_000_000, 8, &[7; 100]);
    run("shape B", 1_000_000, 1_000, 24, &[7; 46]);
}
