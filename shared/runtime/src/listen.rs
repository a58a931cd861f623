//! Opening a TCP port, with an error that says what to do.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// A port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process has it.
    #[error(
        "cannot listen on {address}: the port is in use; end what uses it, or choose another with {flag}"
    )]
    InUse {
        /// The address asked for.
        address: SocketAddr,
        /// The flag that sets it.
        flag: &'static str,
    },
    /// Anything else.
    #[error("cannot listen on {address}: {source}; choose another address with {flag}")]
    Other {
        /// The address asked for.
        address: SocketAddr,
        /// The flag that sets it.
        flag: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// Opens `address`; `flag` is named in the error. An unspecified IPv6 address falls back to IPv4 where the machine has no IPv6.
///
/// # Errors
///
/// [`ListenError`].
pub async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, ListenError> {
    listen_by(async |address| TcpListener::bind(address).await, address, flag).await
}

/// As [`listen`], with what opens a port.
async fn listen_by(
    bind: impl AsyncFn(SocketAddr) -> io::Result<TcpListener>,
    address: SocketAddr,
    flag: &'static str,
) -> Result<TcpListener, ListenError> {
    let first = bind(address).await;
    let outcome = match first {
        Err(err) if lacks_ipv6(address, &err) => {
            bind((std::net::Ipv4Addr::UNSPECIFIED, address.port()).into()).await
        }
        outcome => outcome,
    };
    outcome.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { address, flag },
        _ => ListenError::Other {
            address,
            flag,
            source,
        },
    })
}

fn lacks_ipv6(address: SocketAddr, err: &io::Error) -> bool {
    let refused = matches!(
        err.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported
    ) || err.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    address.is_ipv6() && address.ip().is_unspecified() && refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn port_in_use_names_address_and_flag() {
        let held = listen("127.0.0.1:0".parse().unwrap(), "--x").await.unwrap();
        let address = held.local_addr().unwrap();
        let err = listen(address, "--admin-address").await.unwrap_err().to_string();
        assert!(
            err.contains(&address.to_string()) && err.contains("--admin-address"),
            "{err}"
        );
        assert!(err.contains("in use"), "{err}");
    }

    #[tokio::test]
    async fn where_there_is_no_ipv6_the_unspecified_address_is_that_of_ipv4() {
        let without_ipv6 = async |address: SocketAddr| match address {
            SocketAddr::V6(_) => Err(io::Error::from_raw_os_error(
                rustix::io::Errno::AFNOSUPPORT.raw_os_error(),
            )),
            SocketAddr::V4(address) => {
                assert!(address.ip().is_unspecified());
                TcpListener::bind("127.0.0.1:0").await
            }
        };
        let any = "[::]:8080".parse().unwrap();
        assert!(listen_by(without_ipv6, any, "api_port").await.is_ok());
        let one = "[::1]:8080".parse().unwrap();
        assert!(
            listen_by(without_ipv6, one, "api_port").await.is_err(),
            "somebody meant it"
        );
    }
}
