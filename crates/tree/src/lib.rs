//! The replicated state: znodes, ACLs, quotas, the session table, the digest.
#![no_std]
extern crate alloc;
