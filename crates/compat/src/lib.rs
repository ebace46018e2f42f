//! Black-box comparison with Apache ZooKeeper.
