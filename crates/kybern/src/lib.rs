//! kybern
