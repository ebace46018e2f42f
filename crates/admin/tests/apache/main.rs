//! Every word against what Apache ZooKeeper 3.9.5 printed; `../golden/README.md` tells how that came about.

#[cfg(test)]
mod monitor;
#[cfg(test)]
mod numbers;
#[cfg(test)]
mod server;
#[cfg(test)]
mod words;
