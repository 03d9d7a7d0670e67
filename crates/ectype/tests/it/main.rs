//! The binary on real components: files, loop devices, file systems, sick disks. What a machine lacks is skipped, loudly.

mod compressed;
mod convert;
mod create_files;
mod devices;
mod halfway;
mod hostile;
mod kept;
mod limits;
mod look;
mod map;
mod origin;
mod packed_children;
mod parents;
mod rescue;
mod restore;
mod resume;
mod run;
mod sectors;
mod sick;
mod stdout;
mod targets;
mod verify;
mod wrapped;
