//! Who gets which suite next.
