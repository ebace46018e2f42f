//! The files as a server meets them: Java's bytes, power cuts, damage, full disks.

#[cfg(test)]
mod common;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod epochs;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod java;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod tail;
#[cfg(test)]
mod truncate;
