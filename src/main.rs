//! Arguments → settings → tools → one command.
fn main() {}
