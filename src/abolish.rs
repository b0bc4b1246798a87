//! abolish
