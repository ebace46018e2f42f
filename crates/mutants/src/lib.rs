//! Mistakes that can be switched on where they would be made, so that the simulator proves that it finds them.
//!
//! Where one is possible stands `mutant!(Name)`, which is the constant `false`: of a mistake nothing is left in what ships,
//! and a `server` with mistakes does not compile. The build for `cargo xtask sim --plants` alone has `--cfg mutants`; there
//! it says whether that mistake is switched on in this thread, and the list of them is in `list.rs`.
#![no_std]

#[cfg(mutants)]
extern crate std;

#[cfg(mutants)]
mod list;

#[cfg(mutants)]
pub use list::{Mutant, is_on, switch};

/// Whether a mistake is to be made here.
#[cfg(not(mutants))]
#[macro_export]
macro_rules! mutant {
    ($name:ident) => {
        false
    };
}

/// Whether a mistake is to be made here.
#[cfg(mutants)]
#[macro_export]
macro_rules! mutant {
    ($name:ident) => {
        $crate::is_on($crate::Mutant::$name)
    };
}
