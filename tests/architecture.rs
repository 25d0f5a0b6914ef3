//! Holds the layers of the house.
