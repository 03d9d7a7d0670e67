//! Linear digests: the ones that `md5sum`, `sha1sum`, `sha256sum` and `b3sum` print of the whole content.
//!
//! They need the bytes once, in order. SHA-1 and SHA-256 come from aws-lc (assembly, twice as fast without SHA
//! instructions) where the feature `assembly` is on, else from RustCrypto; this is the only module that knows.

use std::fmt;

/// A linear digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5, for comparing with old lists; proves nothing against malice.
    Md5,
    /// SHA-1, likewise.
    Sha1,
    /// SHA-256.
    Sha256,
    /// BLAKE3.
    Blake3,
}

impl Algorithm {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Algorithm; 4] = [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256, Algorithm::Blake3];

    /// The name in options, records and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "md5",
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
            Algorithm::Blake3 => "blake3",
        }
    }

    /// The algorithm of that name.
    pub fn parse(name: &str) -> Option<Algorithm> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

enum State {
    Md5(md5::Md5),
    #[cfg(feature = "assembly")]
    AwsLc(aws_lc_rs::digest::Context),
    #[cfg(not(feature = "assembly"))]
    Sha1(sha1::Sha1),
    #[cfg(not(feature = "assembly"))]
    Sha256(sha2::Sha256),
    Blake3(Box<blake3::Hasher>),
}

/// A digest that is being taken.
pub struct Digester {
    algorithm: Algorithm,
    state: State,
}

impl Digester {
    /// Begins with no bytes.
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm {
            Algorithm::Md5 => State::Md5(md5::Md5::default()),
            #[cfg(feature = "assembly")]
            Algorithm::Sha1 => {
                State::AwsLc(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY))
            }
            #[cfg(feature = "assembly")]
            Algorithm::Sha256 => State::AwsLc(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256)),
            #[cfg(not(feature = "assembly"))]
            Algorithm::Sha1 => State::Sha1(sha1::Sha1::default()),
            #[cfg(not(feature = "assembly"))]
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::default()),
            Algorithm::Blake3 => State::Blake3(Box::default()),
        };
        Digester { algorithm, state }
    }

    /// Which digest it is.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        #[cfg(not(feature = "assembly"))]
        use sha2::Digest as _;
        match &mut self.state {
            State::Md5(state) => md5::Digest::update(state, data),
            #[cfg(feature = "assembly")]
            State::AwsLc(state) => state.update(data),
            #[cfg(not(feature = "assembly"))]
            State::Sha1(state) => state.update(data),
            #[cfg(not(feature = "assembly"))]
            State::Sha256(state) => state.update(data),
            State::Blake3(state) => {
                state.update(data);
            }
        }
    }

    /// Takes in `len` zero bytes, as holes and unreadable sectors read.
    pub fn update_zeros(&mut self, mut len: u64) {
        static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
        while len > 0 {
            let part = len.min(ZEROS.len() as u64);
            self.update(&ZEROS[..part as usize]);
            len -= part;
        }
    }

    /// The digest in lower-case hexadecimal.
    pub fn finish(self) -> String {
        #[cfg(not(feature = "assembly"))]
        use sha2::Digest as _;
        match self.state {
            State::Md5(state) => hex(&md5::Digest::finalize(state)),
            #[cfg(feature = "assembly")]
            State::AwsLc(state) => hex(state.finish().as_ref()),
            #[cfg(not(feature = "assembly"))]
            State::Sha1(state) => hex(&state.finalize()),
            #[cfg(not(feature = "assembly"))]
            State::Sha256(state) => hex(&state.finalize()),
            State::Blake3(state) => hex(state.finalize().as_bytes()),
        }
    }
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(nibble.into(), 16).unwrap_or('?'));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(algorithm: Algorithm, data: &[u8]) -> String {
        let mut digester = Digester::new(algorithm);
        digester.update(data);
        digester.finish()
    }

    // The test vectors of RFC 1321, FIPS 180-4 and BLAKE3's reference ("abc").
    #[test]
    fn digests_are_the_standard_ones() {
        assert_eq!(digest(Algorithm::Md5, b"abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(digest(Algorithm::Sha1, b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            digest(Algorithm::Sha256, b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            digest(Algorithm::Blake3, b"abc"),
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
        );
    }

    #[test]
    fn zeros_count_as_bytes() {
        for algorithm in Algorithm::ALL {
            let mut digester = Digester::new(algorithm);
            digester.update(b"x");
            digester.update_zeros(200_001);
            let mut bytes = vec![0; 200_002];
            bytes[0] = b'x';
            assert_eq!(digester.finish(), digest(algorithm, &bytes), "{algorithm}");
        }
    }

    #[test]
    fn names_round_trip() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
        }
        assert_eq!(Algorithm::parse("sha512"), None);
    }
}
