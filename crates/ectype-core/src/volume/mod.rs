//! How a disk is divided.
use crate::io::ReadAt;
/// A partition table.
#[allow(missing_docs)] pub struct Table { pub partitions: Vec<P>, pub notes: Vec<String>, /// scheme
 pub scheme: &'static str, /// id
 pub id: String }
/// Scans.
pub fn scan(_: &dyn ReadAt, _: u32) -> std::io::Result<Option<Table>> { Ok(None) }
#[allow(missing_docs)] pub struct P { pub number: u32, pub extent: crate::Extent, pub type_id: String, pub type_name: String }
