//! One switchboard, one data directory.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

/// Held as long as it lives.
pub struct Lock {
    _file: File,
}

/// Why it is not held.
#[derive(Debug, Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("held")]
    Held,
    /// The data directory cannot be written.
    #[error(transparent)]
    Directory(#[from] io::Error),
}

impl Lock {
    /// Makes the data directory if there is none, readable by its owner alone, and takes its lock.
    pub fn take(data_dir: &Path) -> Result<Lock, LockError> {
        DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
        let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(data_dir.join("lock"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Held),
            Err(error) => Err(LockError::Directory(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_holds_it_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("new/data");
        let lock = Lock::take(&data_dir).unwrap();
        assert_eq!(std::fs::metadata(&data_dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(matches!(Lock::take(&data_dir), Err(LockError::Held)));
        drop(lock);
        assert!(Lock::take(&data_dir).is_ok());
    }

    #[test]
    fn a_folder_that_cannot_be_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(matches!(Lock::take(&folder.path().join("file/data")), Err(LockError::Directory(_))));
    }
}
