//! The store.
mod order;
pub use order::Order;
