//! Integration tests: the built binary in a temporary project and store.
