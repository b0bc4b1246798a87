//! licence
