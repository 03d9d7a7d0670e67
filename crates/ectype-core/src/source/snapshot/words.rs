//! What the service's answers mean: in words, and whether another try helps.

use crate::os::snapshot::{Code, Writer};
use std::time::Duration;

/// The codes of `vsserror.h` and `winerror.h` that are told apart here.
pub(super) mod code {
    use crate::os::snapshot::Code;

    macro_rules! codes {
        ($($name:ident $value:literal)*) => {
            $(#[doc = "See `vsserror.h`."] pub(crate) const $name: Code = Code($value);)*
        };
    }
    codes! {
        E_ACCESSDENIED 0x8007_0005
        E_OUTOFMEMORY 0x8007_000e
        REGDB_E_CLASSNOTREG 0x8004_0154
        SERVICE_DISABLED 0x8007_0422
        BAD_STATE 0x8004_2301
        UNEXPECTED 0x8004_2302
        PROVIDER_NOT_REGISTERED 0x8004_2304
        PROVIDER_VETO 0x8004_2306
        OBJECT_NOT_FOUND 0x8004_2308
        VOLUME_NOT_SUPPORTED 0x8004_230c
        VOLUME_NOT_SUPPORTED_BY_PROVIDER 0x8004_230e
        UNEXPECTED_PROVIDER_ERROR 0x8004_230f
        MAXIMUM_NUMBER_OF_VOLUMES_REACHED 0x8004_2312
        FLUSH_WRITES_TIMEOUT 0x8004_2313
        HOLD_WRITES_TIMEOUT 0x8004_2314
        UNEXPECTED_WRITER_ERROR 0x8004_2315
        SNAPSHOT_SET_IN_PROGRESS 0x8004_2316
        MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED 0x8004_2317
        WRITER_INFRASTRUCTURE 0x8004_2318
        WRITER_NOT_RESPONDING 0x8004_2319
        UNSUPPORTED_CONTEXT 0x8004_231b
        VOLUME_IN_USE 0x8004_231d
        MAXIMUM_DIFFAREA_ASSOCIATIONS_REACHED 0x8004_231e
        INSUFFICIENT_STORAGE 0x8004_231f
        REBOOT_REQUIRED 0x8004_2327
        TRANSACTION_FREEZE_TIMEOUT 0x8004_2328
        TRANSACTION_THAW_TIMEOUT 0x8004_2329
        NESTED_VOLUME_LIMIT 0x8004_232c
        WRITERERROR_PARTIAL_FAILURE 0x8004_2336
        WRITERERROR_INCONSISTENTSNAPSHOT 0x8004_23f0
        WRITERERROR_OUTOFRESOURCES 0x8004_23f1
        WRITERERROR_TIMEOUT 0x8004_23f2
        WRITERERROR_RETRYABLE 0x8004_23f3
        WRITERERROR_NONRETRYABLE 0x8004_23f4
        WRITERERROR_RECOVERY_FAILED 0x8004_23f5
        WRITER_STATUS_NOT_AVAILABLE 0x8004_2409
    }
}

use code::*;

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// All of it again, with a requester of its own, after a while; so many times in all.
    Again { after: Duration, tries: u32 },
    /// Without the volume that it is about.
    Without,
    /// Without the volume that has least room: the service does not say which one it was.
    WithoutFullest,
    /// Nothing.
    None,
}

/// "Wait ten minutes and try again, up to three times", says the documentation of these.
const TEN_MINUTES: Remedy = Remedy::Again { after: Duration::from_secs(600), tries: 4 };

/// Another program makes a snapshot: that takes seconds, seldom minutes.
const IN_TURN: Remedy = Remedy::Again { after: Duration::from_secs(10), tries: 60 };

/// Others' snapshots go when their backups end.
const NEXT_MINUTE: Remedy = Remedy::Again { after: Duration::from_secs(60), tries: 4 };

/// What is done where a call fails so.
pub(super) fn remedy(code: Code) -> Remedy {
    match code {
        SNAPSHOT_SET_IN_PROGRESS => IN_TURN,
        FLUSH_WRITES_TIMEOUT
        | HOLD_WRITES_TIMEOUT
        | PROVIDER_VETO
        | WRITERERROR_OUTOFRESOURCES
        | WRITERERROR_TIMEOUT
        | WRITERERROR_RETRYABLE => TEN_MINUTES,
        MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED
        | WRITER_NOT_RESPONDING
        | TRANSACTION_FREEZE_TIMEOUT
        | TRANSACTION_THAW_TIMEOUT => NEXT_MINUTE,
        VOLUME_NOT_SUPPORTED
        | VOLUME_NOT_SUPPORTED_BY_PROVIDER
        | NESTED_VOLUME_LIMIT
        | MAXIMUM_NUMBER_OF_VOLUMES_REACHED
        | MAXIMUM_DIFFAREA_ASSOCIATIONS_REACHED => Remedy::Without,
        INSUFFICIENT_STORAGE => Remedy::WithoutFullest,
        _ => Remedy::None,
    }
}

/// Whether what a writer answers keeps the snapshot from being one of it.
pub(super) fn has_failed(writer: &Writer) -> bool {
    // A program whose files lie on other disks too: of this one the instant is right, and it is said.
    const FAILED_AT_IDENTIFY: i32 = 6;
    let is_other_disk = writer.failure == Some(WRITERERROR_INCONSISTENTSNAPSHOT);
    !is_other_disk && (writer.failure.is_some() || writer.state >= FAILED_AT_IDENTIFY)
}

/// A code in words, and as the number that is looked up.
pub(crate) fn in_words(code: Code) -> String {
    let words = match code {
        E_ACCESSDENIED => "access is denied",
        E_OUTOFMEMORY => "out of memory or other resources",
        REGDB_E_CLASSNOTREG => "the Volume Shadow Copy service is not installed here",
        SERVICE_DISABLED => "the Volume Shadow Copy service is disabled",
        BAD_STATE => "the service does not expect this call now",
        UNEXPECTED => "an unexpected error, which the event log tells more of",
        PROVIDER_NOT_REGISTERED => "no provider of snapshots is registered",
        PROVIDER_VETO => "the provider of snapshots refuses; the event log tells why",
        OBJECT_NOT_FOUND => "there is no such volume or snapshot",
        VOLUME_NOT_SUPPORTED | VOLUME_NOT_SUPPORTED_BY_PROVIDER => {
            "no provider makes snapshots of this kind of volume"
        }
        UNEXPECTED_PROVIDER_ERROR => "the provider of snapshots failed; the event log tells more",
        MAXIMUM_NUMBER_OF_VOLUMES_REACHED => "a set of snapshots holds no more volumes",
        FLUSH_WRITES_TIMEOUT => "what was written could not be flushed in time",
        HOLD_WRITES_TIMEOUT => "writes could not be held long enough",
        UNEXPECTED_WRITER_ERROR => "talking to the writers failed; the event log tells more",
        SNAPSHOT_SET_IN_PROGRESS => "another program is making a snapshot",
        MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED => "the volume has as many snapshots as there can be",
        WRITER_INFRASTRUCTURE => "the writers cannot be reached: is the COM+ Event System running?",
        WRITER_NOT_RESPONDING => "it does not answer",
        UNSUPPORTED_CONTEXT => "this system makes no such snapshots",
        VOLUME_IN_USE => "the volume is in use",
        MAXIMUM_DIFFAREA_ASSOCIATIONS_REACHED => "no volume takes on more of the differences of snapshots",
        INSUFFICIENT_STORAGE => "there is not enough free space for a snapshot",
        REBOOT_REQUIRED => "the machine must be restarted first",
        TRANSACTION_FREEZE_TIMEOUT => "transactions could not be frozen in time",
        TRANSACTION_THAW_TIMEOUT => "transactions could not be thawed in time",
        NESTED_VOLUME_LIMIT => "it lies in a virtual disk within a virtual disk",
        WRITERERROR_PARTIAL_FAILURE => "parts of it failed",
        WRITERERROR_INCONSISTENTSNAPSHOT => "it has files on volumes that are not part of this",
        WRITERERROR_OUTOFRESOURCES => "out of memory or other resources",
        WRITERERROR_TIMEOUT => "it took too long between freeze and thaw",
        WRITERERROR_RETRYABLE => "a passing error",
        WRITERERROR_NONRETRYABLE => "an error that another try would meet again",
        WRITERERROR_RECOVERY_FAILED => "it could not bring its files in order within the snapshot",
        WRITER_STATUS_NOT_AVAILABLE => "its state is not known: too many backups may be under way",
        Code(code) => return format!("error 0x{code:08x}"),
    };
    format!("{words} (0x{:08x})", code.0)
}

/// VSS_WRITER_STATE in words.
pub(super) fn state(state: i32) -> &'static str {
    match state {
        1 => "stable",
        2 => "waiting for the freeze",
        3 => "waiting for the thaw",
        4 => "waiting for the end of the snapshot",
        5 => "waiting for the end of the backup",
        6 => "failed when it was identified",
        7 => "failed when the backup was prepared",
        8 => "failed when the snapshot was prepared",
        9 => "failed at the freeze",
        10 => "failed at the thaw",
        11 => "failed after the snapshot",
        12 => "failed at the end of the backup",
        13 => "failed before a restore",
        14 => "failed after a restore",
        15 => "failed at the backup's shutdown",
        _ => "in an unknown state",
    }
}

/// A writer that failed: its name, where it failed and why.
pub(super) fn failed(writer: &Writer) -> String {
    let why = writer.failure.map(|code| format!(": {}", in_words(code))).unwrap_or_default();
    format!("{:?} {}{why}", writer.name, state(writer.state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again_as_documented() {
        let ten = Duration::from_secs(600);
        for code in [
            FLUSH_WRITES_TIMEOUT,
            HOLD_WRITES_TIMEOUT,
            PROVIDER_VETO,
            WRITERERROR_OUTOFRESOURCES,
            WRITERERROR_TIMEOUT,
            WRITERERROR_RETRYABLE,
        ] {
            // Three times more.
            assert_eq!(remedy(code), Remedy::Again { after: ten, tries: 4 }, "{code:?}");
        }
        assert!(matches!(remedy(SNAPSHOT_SET_IN_PROGRESS), Remedy::Again { after, .. } if after < ten));
        assert_eq!(remedy(VOLUME_NOT_SUPPORTED), Remedy::Without);
        assert_eq!(remedy(INSUFFICIENT_STORAGE), Remedy::WithoutFullest);
        for code in [E_ACCESSDENIED, BAD_STATE, UNEXPECTED, WRITERERROR_NONRETRYABLE, Code(0x8000_4005)] {
            assert_eq!(remedy(code), Remedy::None, "{code:?}");
        }
    }

    #[test]
    fn writers_fail_by_state_or_by_code() {
        let writer = |state, failure| Writer { name: "SqlServerWriter".into(), state, failure };
        assert!(!has_failed(&writer(1, None)));
        assert!(!has_failed(&writer(5, None)));
        assert!(has_failed(&writer(9, None)));
        assert!(has_failed(&writer(1, Some(WRITERERROR_NONRETRYABLE))));
        assert!(!has_failed(&writer(1, Some(WRITERERROR_INCONSISTENTSNAPSHOT))));
        assert_eq!(
            failed(&writer(9, Some(WRITERERROR_TIMEOUT))),
            "\"SqlServerWriter\" failed at the freeze: it took too long between freeze and thaw (0x800423f2)"
        );
        assert_eq!(in_words(Code(0x8000_4005)), "error 0x80004005");
    }
}
