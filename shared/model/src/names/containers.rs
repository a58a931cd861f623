//! Names of containers and volumes, and the paths inside of containers (appendix F).

/// The database container.
pub const POSTGRES: &str = "postgres";
/// The log shipper's container.
pub const SCALYR: &str = "scalyr-sidecar";

/// Name of a sidecar that has none, by its place in the manifest.
pub fn unnamed_sidecar(index: usize) -> String {
    format!("sidecar-{index}")
}

/// Volume of shared memory.
pub const SHM_VOLUME: &str = "dshm";
/// Volume of the socket directory.
pub const SOCKET_VOLUME: &str = "postgresql-run";

/// Where the data volume is mounted.
pub const DATA_PATH: &str = "/home/postgres/pgdata";
/// Where Postgres keeps its data on it.
pub const ROOT_PATH: &str = "/home/postgres/pgdata/pgroot";
/// Where shared memory is mounted.
pub const SHM_PATH: &str = "/dev/shm";
/// Where the socket directory is mounted.
pub const SOCKET_PATH: &str = "/var/run/postgresql";
/// Where the secret with certificate and key is mounted.
pub const TLS_PATH: &str = "/tls";
/// Where the secret with the certificate authority is mounted, if it is another one.
pub const TLS_CA_PATH: &str = "/tlsca";
/// Where Kubernetes puts the token for IRSA.
pub const AWS_TOKEN_PATH: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
/// Directory of the binaries of a major version in the image.
pub fn binaries_path(major: impl std::fmt::Display) -> String {
    format!("/usr/lib/postgresql/{major}/bin")
}
