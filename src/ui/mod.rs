//! What people see: the printer, progress, rendered problems, tables.
//!
//! The only room beside `cli` that writes to stdout and stderr. stdout is for data, stderr for
//! everything else. Invariant: in a pipe there is no colour, no bar and no cursor movement, and a
//! closed pipe is a quiet end.

pub mod printer;
pub mod problem;
pub mod progress;
pub mod style;
pub mod table;

pub use printer::Printer;
pub use progress::Bars;
pub use style::Style;
pub use table::Table;
