//! The same random requests to two servers, and every byte they answer side by side.
//!
//! A round starts two fresh servers, draws a long sequence of steps from a seed ([`generate`]), sends each step to both
//! ([`run`]), and compares all that comes back: replies, errors, Stats, events and their place among the replies
//! ([`compare`]). At its end the two trees have to be the same. What may differ stands in [`allowed`], with its reason.
//!
//! It is a black box: the client in [`wire`], [`op`] and [`reply`] shares no line with the server. A round of Apache against
//! Apache must find nothing, which proves the test itself.
//!
//! Everything has one defined place because only one slot acts at a time, and after each step every open connection is pinged:
//! what arrives before the answer belongs to that step.

pub mod allowed;
pub mod compare;
pub mod generate;
pub mod link;
pub mod op;
pub mod reply;
pub mod report;
mod requests;
pub mod rng;
pub mod run;
pub mod show;
pub mod shrink;
pub mod side;
pub mod step;
pub mod tally;
pub mod wire;
pub mod words;
