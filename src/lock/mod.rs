//! `dep.lock.json`: exactly what every platform gets.

pub mod model;
