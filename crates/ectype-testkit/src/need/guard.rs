//! A loop device and a mount that go away with the test.

use super::{command, run};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file attached as a block device; detached on drop.
#[derive(Debug)]
pub struct LoopDevice {
    path: PathBuf,
}

impl LoopDevice {
    /// Attaches `file` to a free loop device. `options` go to `losetup`: `--direct-io=on`, `-r`, `-b`, `4096` …
    pub fn attach(file: &Path, options: &[&str]) -> io::Result<LoopDevice> {
        let mut tries = 0;
        loop {
            // Tests run side by side: another one may take the free device between the search and the attaching.
            match run(command("losetup").args(["-f", "--show"]).args(options).arg(file)) {
                Ok(output) => {
                    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
                    return Ok(LoopDevice { path });
                }
                Err(error) if tries == 9 => return Err(error),
                Err(_) => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(50 * tries));
                }
            }
        }
    }

    /// The device's node.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Drops what the kernel has cached of the device, so that the next read is a real one.
    pub fn flush(&self) -> io::Result<()> {
        run(command("blockdev").arg("--flushbufs").arg(&self.path)).map(|_| ())
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        if let Err(error) = run(command("losetup").arg("-d").arg(&self.path)) {
            eprintln!("left behind: {error}");
        }
    }
}

/// A mounted file system; unmounted on drop.
#[derive(Debug)]
pub struct Mounted {
    target: PathBuf,
}

impl Mounted {
    /// Mounts `device` on the folder `target`, which is made if need be. `options` go to `mount`: `-t`, `vfat`, `-o`, `ro` …
    pub fn mount(device: &Path, target: &Path, options: &[&str]) -> io::Result<Mounted> {
        std::fs::create_dir_all(target)?;
        run(command("mount").args(options).arg(device).arg(target))?;
        Ok(Mounted { target: target.to_owned() })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.target
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily where it is still busy: a failed test may leave a file open, and the loop device below must go.
        let umount = |options: &[&str]| run(command("umount").args(options).arg(&self.target));
        if let Err(error) = umount(&[]).or_else(|_| umount(&["-l"])) {
            eprintln!("left behind: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use std::io::Read;

    #[test]
    fn a_file_becomes_a_block_device_and_goes_again() {
        if !loop_devices() {
            return;
        }
        let file = std::env::temp_dir().join(format!("ectype-loop-{}", std::process::id()));
        std::fs::write(&file, vec![0xa5; 1 << 20]).unwrap();
        let device = LoopDevice::attach(&file, &["-r", "--direct-io=on"]).unwrap();
        let mut bytes = Vec::new();
        File::open(device.path()).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, vec![0xa5; 1 << 20]);
        device.flush().unwrap();
        drop(device);
        let attached = run(command("losetup").arg("-j").arg(&file)).unwrap().stdout;
        std::fs::remove_file(&file).unwrap();
        assert_eq!(String::from_utf8_lossy(&attached), "");
    }

    #[test]
    fn a_file_system_is_mounted_and_unmounted() {
        if !(loop_devices() && tool("mkfs.ext4") && filesystem("ext4")) {
            return;
        }
        let file = std::env::temp_dir().join(format!("ectype-mount-{}", std::process::id()));
        let folder = file.with_extension("d");
        File::create(&file).unwrap().set_len(8 << 20).unwrap();
        run(command("mkfs.ext4").args(["-q", "-F"]).arg(&file)).unwrap();
        let device = LoopDevice::attach(&file, &[]).unwrap();
        let mounted = Mounted::mount(device.path(), &folder, &["-t", "ext4"]).unwrap();
        assert!(mounted.path().join("lost+found").is_dir());
        drop(mounted);
        assert!(!folder.join("lost+found").exists());
        drop(device);
        std::fs::remove_dir(&folder).unwrap();
        std::fs::remove_file(&file).unwrap();
    }
}
