//! Printer, progress bars, error renderer, tables.
