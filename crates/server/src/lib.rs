//! The outside world: sockets, threads, clock, disk, configuration.
