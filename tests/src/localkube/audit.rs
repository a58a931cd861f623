//! What the API server says that it was asked, by whom and when: its audit log, read on from where it was read last, or back to some time.
//! Where a file is full it is put aside, and read as well. A line that cannot be read is an error: who finds nothing in the log wants to know
//! that there was nothing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;

/// One request that was answered.
#[derive(Debug, Clone)]
pub struct Request {
    pub user: String,
    /// First word of how the program calls itself.
    pub agent: String,
    pub verb: String,
    /// With its subresource: `pods/status`.
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub code: u16,
    pub received: Timestamp,
    pub done: Timestamp,
}

impl Request {
    /// It changed something, or tried to.
    pub fn is_write(&self) -> bool {
        !["get", "list", "watch"].contains(&self.verb.as_str())
    }

    /// Whether its user still leads: made as long as a process lives, whatever it has to do.
    pub fn is_of_the_lease(&self) -> bool {
        self.resource == "leases"
    }
}

/// The log.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    file: BufReader<File>,
    /// A line that is not complete yet.
    rest: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    stage: String,
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Status,
    request_received_timestamp: Timestamp,
    stage_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
}

impl AuditLog {
    /// From now on.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn follow(path: &Path) -> Result<Self> {
        let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::new(file),
            rest: Vec::new(),
        })
    }

    /// What was answered since the last time.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn read(&mut self) -> Result<Vec<Request>> {
        let mut requests = Vec::new();
        loop {
            self.read_file(&mut requests)?;
            // A full one is put aside under another name; what is open stays what it was.
            let present = File::open(&self.path).with_context(|| format!("open {}", self.path.display()))?;
            if present.metadata()?.ino() == self.file.get_ref().metadata()?.ino() {
                return Ok(requests);
            }
            self.read_file(&mut requests)?;
            self.file = BufReader::new(present);
            self.rest.clear();
        }
    }

    fn read_file(&mut self, requests: &mut Vec<Request>) -> Result<()> {
        loop {
            if self.file.read_until(b'\n', &mut self.rest)? == 0 {
                return Ok(());
            }
            if self.rest.last() == Some(&b'\n') {
                requests.extend(request(&self.rest)?);
                self.rest.clear();
            }
        }
    }
}

/// What was received since a time, in the order in which it was answered. `path` is the present log; those that were put aside lie beside it.
///
/// # Errors
///
/// They cannot be read.
pub fn requests_since(path: &Path, since: Timestamp) -> Result<Vec<Request>> {
    let mut requests = Vec::new();
    for file in files_since(path, since)? {
        let content = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        // What follows the last line's end is not written yet.
        let lines = content
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| line.ends_with(b"\n"));
        for line in lines {
            requests.extend(request(line)?.filter(|request| request.received >= since));
        }
    }
    Ok(requests)
}

/// Those that were written to since then, the present one last. They are put aside under names with the time: `audit-2026-…`.
fn files_since(path: &Path, since: Timestamp) -> Result<Vec<PathBuf>> {
    let prefix = format!("{}-", path.file_stem().unwrap_or_default().to_string_lossy());
    let folder = path.parent().context("the log lies in a folder")?;
    let since = SystemTime::from(since);
    let mut aside = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) && entry.metadata()?.modified()? >= since
        {
            aside.push(entry.path());
        }
    }
    aside.sort();
    aside.push(path.to_owned());
    Ok(aside)
}

/// A watch counts when it begins, everything else when it ends; none is what does not count.
fn request(line: &[u8]) -> Result<Option<Request>> {
    let read = serde_json::from_slice(line);
    let line: Line =
        read.with_context(|| format!("read a line of the audit log: {}", String::from_utf8_lossy(line)))?;
    let counts_at = if line.verb == "watch" {
        "ResponseStarted"
    } else {
        "ResponseComplete"
    };
    if line.stage != counts_at {
        return Ok(None);
    }
    let object = line.object_ref;
    let resource = match object.subresource.as_str() {
        "" => object.resource,
        part => format!("{}/{part}", object.resource),
    };
    Ok(Some(Request {
        user: line.user.username,
        agent: line
            .user_agent
            .split(['/', ' '])
            .next()
            .unwrap_or_default()
            .to_owned(),
        verb: line.verb,
        resource,
        namespace: object.namespace,
        name: object.name,
        code: line.response_status.code,
        received: line.request_received_timestamp,
        done: line.stage_timestamp,
    }))
}

/// How many, by what `key` says of each, most first.
pub fn counts<'a>(
    requests: impl IntoIterator<Item = &'a Request>,
    key: impl Fn(&Request) -> String,
) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::new();
    for request in requests {
        *counts.entry(key(request)).or_insert(0) += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn line(stage: &str, verb: &str) -> String {
        format!(
            r#"{{"kind":"Event","stage":"{stage}","verb":"{verb}","user":{{"username":"u"}},"userAgent":"kubectl/v1 (linux)",
            "objectRef":{{"resource":"pods","subresource":"status","namespace":"n","name":"a"}},"responseStatus":{{"code":200}},
            "requestReceivedTimestamp":"2026-01-01T00:00:00.1Z","stageTimestamp":"2026-01-01T00:00:00.3Z"}}"#
        )
        .replace('\n', "")
            + "\n"
    }

    #[test]
    fn each_request_counts_once() {
        let of = |stage, verb| request(line(stage, verb).as_bytes()).unwrap();
        let read = of("ResponseComplete", "patch").unwrap();
        assert_eq!(
            (read.agent.as_str(), read.resource.as_str(), read.code),
            ("kubectl", "pods/status", 200)
        );
        assert!(read.is_write() && read.done > read.received);
        assert!(of("ResponseStarted", "patch").is_none() && of("ResponseComplete", "watch").is_none());
        assert!(!of("ResponseStarted", "watch").unwrap().is_write());
        assert!(
            request(b"{\"stage\":\n").is_err(),
            "what cannot be read is not passed over"
        );
    }

    #[test]
    fn reads_on_where_it_stopped_also_when_the_log_was_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let mut file = File::create(&path).unwrap();
        write!(file, "{}", line("ResponseComplete", "get")).unwrap();
        let mut log = AuditLog::follow(&path).unwrap();
        let whole = line("ResponseComplete", "patch");
        let (begin, end) = whole.split_at(20);
        write!(file, "{begin}").unwrap();
        assert_eq!(log.read().unwrap().len(), 0, "what was there, and half a line");
        write!(file, "{end}").unwrap();
        assert_eq!(log.read().unwrap().len(), 1);
        write!(file, "{whole}").unwrap();
        std::fs::rename(&path, folder.path().join("audit-1.log")).unwrap();
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(log.read().unwrap().len(), 2);
        assert_eq!(counts(&log.read().unwrap(), |request| request.verb.clone()), []);
    }

    #[test]
    fn what_was_put_aside_is_read_too_and_what_was_before_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let at = |time: &str| line("ResponseComplete", "patch").replace("00:00:00.1Z", time);
        fs::write(folder.path().join("other-1.log"), "not ours\n").unwrap();
        fs::write(folder.path().join("audit-2.log"), at("00:00:02Z")).unwrap();
        fs::write(
            folder.path().join("audit-1.log"),
            at("00:00:00Z") + &at("00:00:01Z"),
        )
        .unwrap();
        fs::write(&path, at("00:00:03Z") + "{\"kind\":\"Ev").unwrap();
        let since = "2026-01-01T00:00:01Z".parse().unwrap();
        let received = requests_since(&path, since)
            .unwrap()
            .into_iter()
            .map(|request| request.received);
        let seconds: Vec<_> = received.map(|at| at.duration_since(since).as_secs()).collect();
        assert_eq!(seconds, [0, 1, 2]);
    }
}
