//! What a member shows an operator: four-letter words and metrics.
#![no_std]
extern crate alloc;
