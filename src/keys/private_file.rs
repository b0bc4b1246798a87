//! Files that are their owner's alone: secrets read, key files written so that they are there whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{KeyError, SecretFileFault, random};
use crate::limits;

/// Reads a passphrase, PIN or password: one line of UTF-8, its line end not counted, in a file that is its owner's alone.
///
/// # Errors
/// [`KeyError::SecretFile`] names the file and what is wrong with it.
pub fn read_secret(path: &Path) -> Result<SecretString, KeyError> {
    let bytes = read(path, limits::SECRET_FILE_BYTES)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| fault(path, SecretFileFault::Unfit("not UTF-8")))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line {
        "" => Err(fault(path, SecretFileFault::Unfit("empty"))),
        line if line.contains('\n') => Err(fault(path, SecretFileFault::Unfit("more than one line"))),
        line => Ok(SecretString::from(line)),
    }
}

/// Reads a regular file of at most `most` bytes that nobody but its owner may read or write.
///
/// The mode is that of the file opened, not of the name, so it cannot be exchanged between check and use.
pub(super) fn read(path: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let unreadable = |why| fault(path, SecretFileFault::Unreadable(why));
    let file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(unreadable(io::Error::other("not a regular file")));
    }
    if about.mode() & 0o077 != 0 {
        return Err(fault(path, SecretFileFault::OpenToOthers { mode: about.mode() & 0o777 }));
    }
    // Room for all of it at once: a buffer that grows leaves copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(most.min(about.len())).unwrap_or(0) + 1));
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most {
        return Err(fault(path, SecretFileFault::Unfit("too long")));
    }
    Ok(bytes)
}

/// Writes a new file, mode 0600, in a directory that is made (0700) if missing. Never replaces one.
///
/// When it returns, name and content are on the disk: the file is written under another name, synced, linked to its
/// own name, and the directory synced. A link, unlike a rename, fails where the name is taken.
pub(super) fn write_new(directory: &Path, name: &OsStr, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mark = random::<8>().map_err(|_| io::Error::other("no randomness"))?;
    let unfinished = directory.join(format!(".unfinished-{}", hex::encode(mark)));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::hard_link(&unfinished, directory.join(name))
    });
    // What is left over from a crash begins with a dot and is passed over by readers.
    let removed = fs::remove_file(&unfinished);
    written.and(removed)?;
    File::open(directory)?.sync_all()
}

/// Overwrites a file where it lies and takes it away. A file system or disk that writes elsewhere (snapshots, flash)
/// may keep what was there; the passphrase still stands before it.
pub(super) fn destroy(directory: &Path, name: &OsStr) -> io::Result<()> {
    let path = directory.join(name);
    let mut file = OpenOptions::new().write(true).open(&path)?;
    let length = usize::try_from(file.metadata()?.len().min(limits::KEY_FILE_BYTES)).unwrap_or(0);
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    fs::remove_file(&path)?;
    File::open(directory)?.sync_all()
}

fn fault(path: &Path, why: SecretFileFault) -> KeyError {
    KeyError::SecretFile { path: path.to_owned(), why }
}
