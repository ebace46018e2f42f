//! Whole ensembles, from first principles.

mod basics;
