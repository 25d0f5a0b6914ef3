//! From lock to store: plan, then execute; and pinning, from profile to lock.
