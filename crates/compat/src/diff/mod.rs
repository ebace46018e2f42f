//! The same random requests to two servers, and every byte they answer side by side.
//!
//! A round starts two fresh servers, draws a long sequence of steps from a seed ([`generate`]), sends each step to both
//! ([`run`]), and compares all that comes back: replies, errors, Stats, events and their place among the replies
//! ([`compare`]). At its end the two trees have to be the same. What may differ stands in [`allowed`], with its reason.
//!
//! It is a black box: the client in [`wire`], [`op`] and [`reply`] shares no line with the server. A round of Apache against
//! Apache must find nothing, which proves the test itself.

pub mod op;
pub mod reply;
pub mod rng;
pub mod show;
pub mod wire;
