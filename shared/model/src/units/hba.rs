//! Lines of `pg_hba.conf`, read the way the server reads them. Lives here: the syntax, and which line decides about a client. Must not: who
//! has to be let in (`validate`).
//!
//! The first line that fits a client decides, whether it lets in or refuses. What a manifest cannot tell (members of a role, an address, a
//! regular expression) fits [`Fit::Perhaps`].

use std::net::IpAddr;

use super::UnitError;

mod token;

use token::Field;
pub use token::Name;

/// A line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A rule.
    Rule(Rule),
    /// More lines are in other files.
    Include,
}

/// Who is asked how to prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// How the client comes.
    pub connection: Connection,
    /// Databases; any of them.
    pub databases: Vec<Name>,
    /// Roles; any of them.
    pub users: Vec<Name>,
    /// From where; none for [`Connection::Local`].
    pub address: Option<Address>,
    /// The method, as in `scram-sha-256`.
    pub method: String,
    /// Options of the method, in order.
    pub options: Vec<(String, String)>,
}

/// How a client comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Connection {
    /// Through the socket.
    Local,
    /// Through the network, however.
    Host,
    /// With TLS.
    HostSsl,
    /// Without TLS.
    HostNoSsl,
    /// With GSSAPI encryption.
    HostGssEnc,
    /// Without GSSAPI encryption.
    HostNoGssEnc,
}

/// From where a client comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// From anywhere.
    All,
    /// From an address of the server itself.
    SameHost,
    /// From a network that the server is in.
    SameNet,
    /// From a network: its address, and how many of the bits count.
    Network(IpAddr, u32),
    /// From a host with this name, or one that ends with it.
    Host(String),
}

/// How a client comes, for whom [`decide`] looks for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client<'a> {
    /// The role.
    pub user: &'a str,
    /// The database, or `None` for physical replication.
    pub database: Option<&'a str>,
    /// Through the network with TLS; otherwise through the socket.
    pub over_network: bool,
}

/// Whether a line is about a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fit {
    /// No.
    No,
    /// It depends on what a manifest cannot tell.
    Perhaps,
    /// Yes.
    Yes,
}

/// What lines decide about a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// One lets it in, or may.
    Open,
    /// One refuses it.
    Refused,
    /// None is about it, which refuses it too.
    Forgotten,
}

const WHAT: &str = "a line of pg_hba.conf";

const METHODS: &[&str] = &[
    "trust",
    "reject",
    "scram-sha-256",
    "md5",
    "password",
    "gss",
    "sspi",
    "ident",
    "peer",
    "ldap",
    "radius",
    "cert",
    "pam",
    "bsd",
    "oauth",
];

/// Reads the lines of a list, in order, each with the place in the list where it starts. An item may hold many lines; a line that ends with a
/// backslash goes on in the next one. Comments and empty lines are left out.
pub fn read(list: &[String]) -> Vec<(usize, Result<Entry, UnitError>)> {
    let mut entries = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in list
        .iter()
        .enumerate()
        .flat_map(|(index, item)| item.lines().map(move |line| (index, line)))
    {
        let (start, mut whole) = open.take().unwrap_or((index, String::new()));
        if let Some(part) = line.strip_suffix('\\') {
            whole.push_str(part);
            open = Some((start, whole));
            continue;
        }
        whole.push_str(line);
        entries.extend(parse(&whole).transpose().map(|entry| (start, entry)));
    }
    if let Some((start, whole)) = open {
        entries.extend(parse(&whole).transpose().map(|entry| (start, entry)));
    }
    entries
}

/// Reads one line; none when it is empty or a comment.
///
/// # Errors
/// What the server would refuse: an unknown connection type or method, a missing field, a wrong address.
pub fn parse(line: &str) -> Result<Option<Entry>, UnitError> {
    let error = |why| UnitError::new(line, WHAT, why);
    let mut fields = token::fields(line).into_iter();
    let Some(first) = fields.next() else {
        return Ok(None);
    };
    if is_include(&first) {
        return Ok(Some(Entry::Include));
    }
    let connection = connection(&first).ok_or_else(|| {
        error("it must start with local, host, hostssl, hostnossl, hostgssenc or hostnogssenc")
    })?;
    let databases = fields
        .next()
        .ok_or_else(|| error("it ends before the database"))?;
    let users = fields.next().ok_or_else(|| error("it ends before the user"))?;
    let address = match connection {
        Connection::Local => None,
        _ => Some(address(&mut fields).map_err(error)?),
    };
    let method = fields.next().ok_or_else(|| error("it ends before the method"))?;
    let method = single(method)
        .ok_or_else(|| error("there is more than one method"))?
        .text;
    check_method(&method, connection).map_err(error)?;
    let mut options = Vec::new();
    for name in fields.flatten() {
        let (key, value) = name
            .text
            .split_once('=')
            .ok_or_else(|| error("options behind the method are written name=value"))?;
        options.push((key.to_owned(), value.to_owned()));
    }
    Ok(Some(Entry::Rule(Rule {
        connection,
        databases,
        users,
        address,
        method,
        options,
    })))
}

fn is_include(field: &Field) -> bool {
    matches!(field.as_slice(), [name] if matches!(name.text.as_str(), "include" | "include_if_exists" | "include_dir"))
}

fn connection(field: &Field) -> Option<Connection> {
    let [name] = field.as_slice() else { return None };
    Some(match name.text.as_str() {
        "local" => Connection::Local,
        "host" => Connection::Host,
        "hostssl" => Connection::HostSsl,
        "hostnossl" => Connection::HostNoSsl,
        "hostgssenc" => Connection::HostGssEnc,
        "hostnogssenc" => Connection::HostNoGssEnc,
        _ => return None,
    })
}

fn single(mut field: Field) -> Option<Name> {
    if field.len() > 1 {
        return None;
    }
    field.pop()
}

/// One field, or two when a mask follows the address.
fn address(fields: &mut impl Iterator<Item = Field>) -> Result<Address, &'static str> {
    let field = fields.next().ok_or("it ends before the address")?;
    let name = single(field).ok_or("there is more than one address")?;
    let keyword = [
        ("all", Address::All),
        ("samehost", Address::SameHost),
        ("samenet", Address::SameNet),
    ];
    if let Some((_, address)) = keyword.into_iter().find(|(word, _)| name.is_keyword(word)) {
        return Ok(address);
    }
    let text = name.text.as_str();
    if let Some((host, bits)) = text.split_once('/') {
        let host = ip(host).ok_or("the address is wrong")?;
        let bits = Some(bits)
            .filter(|bits| bits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|bits| bits.parse::<u32>().ok())
            .filter(|bits| *bits <= width(host))
            .ok_or("the prefix must be 0 to 32 for IPv4, 0 to 128 for IPv6")?;
        return Ok(Address::Network(host, bits));
    }
    let Some(host) = ip(text) else {
        let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        return if numeric || text.contains(':') {
            Err("the address is wrong")
        } else {
            Ok(Address::Host(text.to_owned()))
        };
    };
    let mask = fields.next().and_then(single).and_then(|mask| ip(&mask.text));
    let bits = mask.and_then(|mask| prefix(host, mask));
    Ok(Address::Network(
        host,
        bits.ok_or("behind an address there must be a prefix, as in 10.0.0.0/8, or a mask")?,
    ))
}

/// An address, its zone left out.
fn ip(text: &str) -> Option<IpAddr> {
    text.split('%').next()?.parse().ok()
}

const fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// How many bits a mask of the same kind leaves to count, from the first on.
fn prefix(host: IpAddr, mask: IpAddr) -> Option<u32> {
    match (host, mask) {
        (IpAddr::V4(_), IpAddr::V4(mask)) => Some(mask.to_bits().leading_ones()),
        (IpAddr::V6(_), IpAddr::V6(mask)) => Some(mask.to_bits().leading_ones()),
        _ => None,
    }
}

fn check_method(method: &str, connection: Connection) -> Result<(), &'static str> {
    let is_local = connection == Connection::Local;
    match method {
        _ if !METHODS.contains(&method) => Err(
            "the method is not known; allowed are trust, reject, scram-sha-256, md5, password, gss, sspi, ident, peer, ldap, radius, cert, pam, bsd, oauth",
        ),
        "peer" if !is_local => Err("the method peer is for local only"),
        "gss" if is_local => Err("the method gss is for the network only"),
        "cert" if connection != Connection::HostSsl => Err("the method cert is for hostssl only"),
        _ => Ok(()),
    }
}

impl Rule {
    /// Whether the line is about the client, who comes from some pod or other if it comes through the network.
    pub fn fits(&self, client: &Client<'_>) -> Fit {
        let way = match (self.connection, client.over_network) {
            (Connection::Local, false) => Fit::Yes,
            (Connection::Host | Connection::HostSsl | Connection::HostNoGssEnc, true) => {
                self.address.as_ref().map_or(Fit::No, Address::fits_a_pod)
            }
            _ => Fit::No,
        };
        way.min(any(&self.databases, |name| database_fits(name, client)))
            .min(any(&self.users, |name| user_fits(name, client.user)))
    }

    /// Whether it refuses whom it is about.
    pub fn refuses(&self) -> bool {
        self.method == "reject"
    }

    /// Whether it lets in, without any proof, clients that are not on the server's own machine.
    pub fn trusts_strangers(&self) -> bool {
        let near = self.address.as_ref().is_none_or(Address::is_near);
        self.method == "trust" && !near
    }
}

fn any(names: &[Name], fit: impl Fn(&Name) -> Fit) -> Fit {
    names.iter().map(fit).max().unwrap_or(Fit::No)
}

fn database_fits(name: &Name, client: &Client<'_>) -> Fit {
    let Some(database) = client.database else {
        return fit(name.is_keyword("replication"));
    };
    if name.is_keyword("replication") {
        return Fit::No;
    }
    let same_user = name.is_keyword("sameuser") && client.user == database;
    if name.is_keyword("all") || same_user {
        return Fit::Yes;
    }
    if name.is_pattern() || name.is_keyword("samerole") || name.is_keyword("samegroup") {
        return Fit::Perhaps;
    }
    fit(name.text == database)
}

fn user_fits(name: &Name, user: &str) -> Fit {
    if name.is_keyword("all") {
        return Fit::Yes;
    }
    if name.is_pattern() || name.is_group() {
        return Fit::Perhaps;
    }
    fit(name.text == user)
}

const fn fit(holds: bool) -> Fit {
    if holds { Fit::Yes } else { Fit::No }
}

impl Address {
    /// Pods have all sorts of addresses, but not those of the server's own machine.
    fn fits_a_pod(&self) -> Fit {
        match self {
            // Nearly every Kubernetes gives its pods IPv4 addresses.
            Self::All | Self::Network(IpAddr::V4(_), 0) => Fit::Yes,
            _ if self.is_near() => Fit::No,
            _ => Fit::Perhaps,
        }
    }

    fn is_near(&self) -> bool {
        match self {
            Self::SameHost => true,
            Self::Network(address, bits) => address.is_loopback() && *bits >= 8,
            Self::Host(name) => name == "localhost",
            Self::All | Self::SameNet => false,
        }
    }
}

/// What the lines decide about a client. A line that is perhaps about it and lets in counts, one that refuses does not.
pub fn decide<'a>(entries: impl IntoIterator<Item = &'a Entry>, client: &Client<'_>) -> Verdict {
    for entry in entries {
        match entry {
            Entry::Include => return Verdict::Open,
            Entry::Rule(rule) => match (rule.fits(client), rule.refuses()) {
                (Fit::Yes, true) => return Verdict::Refused,
                (Fit::Yes | Fit::Perhaps, false) => return Verdict::Open,
                (Fit::No, _) | (Fit::Perhaps, true) => {}
            },
        }
    }
    Verdict::Forgotten
}

#[cfg(test)]
mod tests;
