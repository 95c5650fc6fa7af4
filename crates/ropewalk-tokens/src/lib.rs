#![doc = include_str!("../README.md")]

mod encoding;
mod windows;

pub use encoding::Encoding;
pub use windows::Windows;
