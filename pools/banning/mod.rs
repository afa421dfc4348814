//! banning
