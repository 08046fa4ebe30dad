//! Where an instance is reached, and what is reserved for it.

use std::fs::DirBuilder;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::notify::Notifications;
use super::ports::{Ports, ReservedPort, check_free};
use crate::launcher::fleet::InstanceId;
use crate::revision::LaunchSpec;
use crate::revision::launch::{PortSpec, Ready, Start};
use crate::upstream::place::Place;

/// The longest path of a socket on any system, without its end mark.
const MAX_PATH: usize = 103;

/// What is reserved for an instance as long as it is there.
#[derive(Debug)]
pub(super) struct Reserved {
    /// Where it is reached.
    pub(super) places: Arc<[Place]>,
    /// The port that it is to listen on.
    pub(super) port: Option<u16>,
    /// The socket that it is to make.
    pub(super) socket: Option<Arc<Path>>,
    /// The listening socket that it is passed, until it has it.
    pub(super) listener: Option<OwnedFd>,
    /// Its own directory, if it needs one.
    pub(super) private: Option<Private>,
    /// The socket on which it says that it is ready, if it is to do that, in that directory.
    pub(super) notify: Option<PathBuf>,
    /// The same, once it is there.
    pub(super) notifications: Option<Notifications>,
    _port: Option<ReservedPort>,
}

impl Reserved {
    /// Chooses and reserves what an instance needs.
    ///
    /// # Errors
    /// Says what cannot be had.
    pub(super) fn try_new(
        id: InstanceId,
        spec: &LaunchSpec,
        backends: &[SocketAddr],
        ports: &Arc<Ports>,
    ) -> Result<Self, String> {
        let mut reserved = Self {
            places: Arc::default(),
            port: None,
            socket: None,
            listener: None,
            private: None,
            notify: None,
            notifications: None,
            _port: None,
        };
        let place = match &spec.start {
            Start::Commands { .. } => {
                let at = |address: &SocketAddr| Place {
                    address: *address,
                    socket: None,
                };
                reserved.places = backends.iter().map(at).collect();
                return Ok(reserved);
            }
            Start::Process(process) => process.port,
        };
        if place == PortSpec::Socket || spec.ready == Ready::Notify {
            reserved.private = Some(Private::choose());
        }
        if spec.ready == Ready::Notify {
            reserved.notify = Some(reserved.in_private("notify")?);
        }
        let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let address = match place {
            PortSpec::Auto => {
                let port = ports.reserve();
                let port = port.map_err(|error| format!("there is no free port: {error}"))?;
                let number = port.number();
                reserved.port = Some(number);
                reserved._port = Some(port);
                local(number)
            }
            PortSpec::Fixed(port) => {
                reserved.port = Some(port);
                local(port)
            }
            PortSpec::Passed => {
                let listener = listen();
                let (listener, address) =
                    listener.map_err(|error| format!("cannot listen for it: {error}"))?;
                reserved.listener = Some(listener.into());
                address
            }
            PortSpec::Socket => {
                reserved.socket = Some(reserved.in_private("socket")?.into());
                made_up(id)
            }
        };
        let socket = reserved.socket.clone();
        reserved.places = Arc::new([Place { address, socket }]);
        Ok(reserved)
    }

    /// The path of a socket in its own directory, which was chosen.
    fn in_private(&self, name: &str) -> Result<PathBuf, String> {
        let private = self
            .private
            .as_ref()
            .expect("whoever needs a path has chosen it");
        let path = private.path().join(name);
        if path.as_os_str().len() <= MAX_PATH {
            return Ok(path);
        }
        Err(format!(
            "the path of its socket, {}, is longer than {MAX_PATH} bytes; set TMPDIR to a shorter one",
            path.display(),
        ))
    }

    /// Makes what is only on disk, and checks what may be in the way. Blocks.
    ///
    /// # Errors
    /// Says what is wrong.
    pub(super) fn prepare(&mut self, spec: &LaunchSpec) -> Result<(), String> {
        if let Start::Process(process) = &spec.start
            && let PortSpec::Fixed(port) = process.port
        {
            let checked = check_free(port);
            checked.map_err(|error| format!("port {port} of 127.0.0.1 cannot be used: {error}"))?;
        }
        if let Some(private) = &mut self.private {
            private.make()?;
        }
        if let Some(path) = &self.notify {
            let bound = Notifications::bind(path);
            let bound =
                bound.map_err(|error| format!("cannot listen on {}: {error}", path.display()))?;
            self.notifications = Some(bound);
        }
        Ok(())
    }
}

/// A listening socket for an instance.
fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// An address for a unix socket: of the block that discards everything (RFC 6666), so that it means nothing to anybody.
fn made_up(id: InstanceId) -> SocketAddr {
    let block = 0x0100_u128 << 112;
    SocketAddr::from((Ipv6Addr::from_bits(block | u128::from(id.0)), 80))
}

/// A directory that is only for one instance. Removed with this.
#[derive(Debug)]
pub(super) struct Private {
    path: PathBuf,
    is_made: bool,
}

impl Private {
    /// Chooses a name that nobody can guess.
    fn choose() -> Self {
        let name = format!("activator-{:016x}", rand::random::<u64>());
        Self {
            path: std::env::temp_dir().join(name),
            is_made: false,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn make(&mut self) -> Result<(), String> {
        let made = DirBuilder::new().mode(0o700).create(&self.path);
        made.map_err(|error| format!("cannot make {}: {error}", self.path.display()))?;
        self.is_made = true;
        Ok(())
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if self.is_made {
            // Its supervisor has done this already, unless it was killed.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_addresses_differ() {
        let first = made_up(InstanceId(1));
        assert_eq!(first, "[100::1]:80".parse().unwrap());
        assert_ne!(first, made_up(InstanceId(2)));
    }

    #[test]
    fn a_private_directory_is_for_its_owner_only_and_removed() {
        use std::os::unix::fs::PermissionsExt;

        let mut private = Private::choose();
        private.make().unwrap();
        let path = private.path().to_owned();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::write(path.join("socket"), "").unwrap();
        drop(private);
        assert!(!path.exists());
    }
}
