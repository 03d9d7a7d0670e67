//! A VMDK image of any content: opened, looked through and read, without a panic, and within its bounds.
#![no_main]

use ectype_core::image::{Gate, Opened, Spec, named};
use ectype_core::io::ReadAt;
use ectype_core::{Error, Kind, Result};
use ectype_fuzz::{change, feed_some, look_through, written};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

/// The image names itself as its extents, and as its parent a few times over.
struct Itself {
    bytes: Arc<Vec<u8>>,
    depth: usize,
}

impl Gate for Itself {
    fn file(&mut self, name: &str) -> Result<Arc<dyn ReadAt>> {
        // Every second name is another file: flat bytes.
        if name.len() % 2 == 0 { Ok(Arc::new(vec![7; 4096])) } else { Ok(Arc::clone(&self.bytes) as _) }
    }

    fn parent(&mut self, _names: &[String], _format: Option<&str>) -> Result<Arc<dyn Opened>> {
        self.depth += 1;
        if self.depth > 3 {
            return Err(Error::new(Kind::Limit, "deep enough"));
        }
        let bytes = Arc::clone(&self.bytes) as Arc<dyn ReadAt>;
        (named("vmdk").unwrap().open)(bytes, self)
    }
}

/// What the input changes: nothing, an image of each kind, and a descriptor.
static BASES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut bases = vec![Vec::new()];
    for subformat in ["sparse", "stream"] {
        let size = 300 << 10;
        let spec = Spec { size, subformat: subformat.into(), ..Spec::default() };
        bases.push(written("vmdk", spec, None, |sink| feed_some(sink, size)));
    }
    let text = "# Disk DescriptorFile\nversion=1\nCID=00000001\nparentCID=00000001\ncreateType=\"custom\"\n\
                parentFileNameHint=\"p\"\nRW 8 FLAT \"ab\" 0\nRW 4 ZERO\nRW 8 SPARSE \"abc\"\nddb.adapterType = \"ide\"\n";
    bases.push(text.as_bytes().to_vec());
    bases
});

fuzz_target!(|input: &[u8]| {
    let Some((kind, changes)) = input.split_first() else { return };
    let mut bytes = BASES[usize::from(*kind) % BASES.len()].clone();
    change(&mut bytes, changes, 4, 256 << 10);
    let vmdk = named("vmdk").unwrap();
    let _ = (vmdk.probe)(&bytes);
    let bytes = Arc::new(bytes);
    let mut gate = Itself { bytes: Arc::clone(&bytes), depth: 0 };
    if let Ok(image) = (vmdk.open)(bytes, &mut gate) {
        look_through(&*image);
    }
});
