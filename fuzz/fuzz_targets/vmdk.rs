//! A VMDK image of any content: opened, looked through and read, without a panic, and within its bounds.
#![no_main]

use ectype_core::image::{Findings, Gate, Opened, Place, Spec, named};
use ectype_core::io::{ReadAt, WriteAt};
use ectype_core::{Error, Extent, Kind, Result};
use libfuzzer_sys::fuzz_target;
use std::io;
use std::sync::{Arc, LazyLock, RwLock};

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

/// A file in memory.
#[derive(Clone, Default)]
struct Memory(Arc<RwLock<Vec<u8>>>);

impl ReadAt for Memory {
    fn size(&self) -> u64 {
        self.0.read().unwrap().len() as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read().unwrap().read_at(buf, offset)
    }
}

impl WriteAt for Memory {
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.0.write().unwrap();
        let end = offset as usize + data.len();
        let len = bytes.len().max(end);
        bytes.resize(len, 0);
        bytes[offset as usize..end].copy_from_slice(data);
        Ok(())
    }

    fn zero_at(&self, at: Extent) -> io::Result<()> {
        self.write_at(&vec![0; at.len as usize], at.offset)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.0.write().unwrap().resize(size as usize, 0);
        Ok(())
    }

    fn holds_holes(&self) -> bool {
        true
    }
}

/// What the input changes: nothing, an image of each kind, and a descriptor.
static BASES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut bases = vec![Vec::new()];
    for subformat in ["sparse", "stream"] {
        let writing = named("vmdk").unwrap().writing.as_ref().unwrap();
        let spec = Spec { size: 300 << 10, sector: 512, subformat: subformat.into(), ..Spec::default() };
        let spec = (writing.plan)(spec).unwrap().0;
        let storage = Memory::default();
        let place = Place { storage: Box::new(storage.clone()), parent: None };
        let mut image = (writing.create)(place, &spec).unwrap();
        image.put(0, &vec![5; 200 << 10]).unwrap();
        image.finish().unwrap();
        let bytes = storage.0.read().unwrap().clone();
        bases.push(bytes);
    }
    let text = "# Disk DescriptorFile\nversion=1\nCID=00000001\nparentCID=00000001\ncreateType=\"custom\"\n\
                parentFileNameHint=\"p\"\nRW 8 FLAT \"ab\" 0\nRW 4 ZERO\nRW 8 SPARSE \"abc\"\nddb.adapterType = \"ide\"\n";
    bases.push(text.as_bytes().to_vec());
    bases
});

fuzz_target!(|input: &[u8]| {
    let Some((kind, mut rest)) = input.split_first() else { return };
    let mut bytes = BASES[usize::from(*kind) % BASES.len()].clone();
    // Changes: two bytes of offset in units of 4, a length, then that many bytes.
    while let [a, b, len, tail @ ..] = rest {
        let offset = usize::from(u16::from_le_bytes([*a, *b])) * 4;
        let len = usize::from(*len).min(tail.len());
        bytes.resize(bytes.len().max(offset + len), 0);
        bytes[offset..offset + len].copy_from_slice(&tail[..len]);
        rest = &tail[len..];
    }
    let vmdk = named("vmdk").unwrap();
    let _ = (vmdk.probe)(&bytes);
    let bytes = Arc::new(bytes);
    let mut gate = Itself { bytes: Arc::clone(&bytes), depth: 0 };
    let Ok(opened) = (vmdk.open)(bytes, &mut gate) else { return };
    let _ = opened.check(&mut Findings::default());
    let mut buffer = vec![0; 100_000];
    let (mut offset, mut steps) = (0, 0);
    while offset < opened.size() && steps < 64 {
        let len = (opened.size() - offset).min(buffer.len() as u64) as usize;
        let _ = opened.read_at(&mut buffer[..len], offset);
        let Ok((_, until)) = opened.content_at(offset) else { break };
        assert!(until > offset);
        (offset, steps) = (until, steps + 1);
    }
});
