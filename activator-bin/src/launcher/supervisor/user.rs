//! Becoming another user, with all of its groups.

use std::ffi::CString;
use std::fmt::Display;
use std::fs;
use std::os::unix::fs::lchown;
use std::path::Path;

use nix::unistd::{self, Gid, Uid, User};

/// A user that a program runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    uid: Uid,
    gid: Gid,
    /// Its name and home, if it is known to the system.
    known: Option<(String, String)>,
}

impl Account {
    /// The user of this name or number.
    ///
    /// # Errors
    /// Says why it cannot be found.
    pub(crate) fn find(user: &str) -> Result<Self, String> {
        let failed = |error| format!("user {user:?} cannot be looked up: {error}");
        let by_number = user.parse().ok().map(Uid::from_raw);
        let found = match by_number {
            Some(uid) => User::from_uid(uid),
            None => User::from_name(user),
        };
        match (found.map_err(failed)?, by_number) {
            (
                Some(User {
                    name,
                    uid,
                    gid,
                    dir,
                    ..
                }),
                _,
            ) => Ok(Self {
                uid,
                gid,
                known: Some((name, dir.to_string_lossy().into_owned())),
            }),
            // As good as any: no file belongs to it unless somebody has seen to that.
            (None, Some(uid)) => Ok(Self {
                uid,
                gid: Gid::from_raw(uid.as_raw()),
                known: None,
            }),
            (None, None) => Err(format!("there is no user {user:?}")),
        }
    }

    /// What its programs expect in their environment.
    pub(super) fn env(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let known = self.known.iter();
        known.flat_map(|(name, home)| [("HOME", &**home), ("USER", name), ("LOGNAME", name)])
    }

    /// Whether this process already runs as this user.
    pub(super) fn is_current(&self) -> bool {
        Uid::current() == self.uid && Uid::effective() == self.uid
    }

    /// Gives it a directory, and what is in there.
    ///
    /// # Errors
    /// Says what is wrong.
    pub(super) fn own(&self, directory: &Path) -> Result<(), String> {
        let own = |path: &Path| lchown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()));
        let failed = |error: &dyn Display| {
            format!(
                "cannot make {} a directory of its user: {error}",
                directory.display()
            )
        };
        for entry in fs::read_dir(directory).map_err(|error| failed(&error))? {
            let path = entry.map_err(|error| failed(&error))?.path();
            own(&path).map_err(|error| failed(&error))?;
        }
        own(directory).map_err(|error| failed(&error))
    }

    /// Whether a process of this one's user may become one of this user.
    ///
    /// # Errors
    /// Says why not.
    pub(crate) fn may_be_used(&self, user: &str) -> Result<(), String> {
        let own = Uid::effective();
        if self.is_current() || own.is_root() {
            return Ok(());
        }
        Err(format!(
            "cannot run as user {user:?}: only root can switch users, and the activator runs as user {own}"
        ))
    }

    /// Makes this process one of this user, for good.
    ///
    /// # Errors
    /// Says what is wrong.
    pub(super) fn switch(&self, user: &str) -> Result<(), String> {
        self.may_be_used(user)?;
        self.become_it()
            .map_err(|error| format!("cannot run as user {user:?}: {error}"))
    }

    #[cfg(target_os = "linux")]
    fn become_it(&self) -> nix::Result<()> {
        match &self.known {
            Some((name, _)) => {
                let name = CString::new(name.as_str()).map_err(|_| nix::Error::EINVAL)?;
                unistd::initgroups(&name, self.gid)?;
            }
            None => unistd::setgroups(&[])?,
        }
        unistd::setgid(self.gid)?;
        unistd::setuid(self.uid)
    }

    /// Some systems have no way to set a user's groups.
    #[cfg(not(target_os = "linux"))]
    fn become_it(&self) -> nix::Result<()> {
        Err(nix::Error::ENOTSUP)
    }
}
