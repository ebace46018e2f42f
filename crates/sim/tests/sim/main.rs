//! Whole ensembles, from first principles.

mod basics;
mod runs;
mod scenarios;
