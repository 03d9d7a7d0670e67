//! What a run of a program said, and what a test demands of it.

use serde_json::Value;

/// What a run said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// The exit status; `None` where a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Fails the test unless the exit status is this one.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Said {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Fails the test unless stdout or stderr has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Said {
        assert!(self.out.contains(text) || self.err.contains(text), "nothing of {text:?} in {self:#?}");
        self
    }

    /// The one object on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Every line of stderr as an object.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let object = |line: &str| {
            let value: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?} in {self:#?}"));
            assert!(value.is_object(), "{line}");
            value
        };
        self.err.lines().map(object).collect()
    }
}
