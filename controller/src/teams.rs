//! The teams API: who is a member of a team (zalando-behaviour 4.22). Answers are kept for a while, silence for a shorter while, so that a
//! thousand clusters of one team ask once. Must not: what membership means (model).

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::{Request, StatusCode, Uri};
use kube::client::Body;
use kube::config::AuthInfo;
use kube::{Client, Config};
use pgherd_model::secret::Secret;
use pgherd_model::source::Source;
use pgherd_runtime::tasks::chain;
use serde::Deserialize;
use tokio::sync::Mutex as Turnstile;
use tokio::time::{Instant, timeout};

/// Connecting, asking and reading together.
const LIMIT: Duration = Duration::from_secs(5);
/// How long an answer is good.
const FRESH: Duration = Duration::from_mins(5);
/// How long nobody asks again after there was no answer.
const SILENCE: Duration = Duration::from_secs(30);
/// The largest answer that is read.
const MAX_BODY: usize = 1 << 20;
/// How much of what the API says about an error is repeated.
const MAX_WORDS: usize = 100;

/// The members; `Known(None)`: there is no such team.
pub type Answer = Source<Option<BTreeSet<String>>>;

/// What was answered, and until when that is good.
type Entry = Option<(Instant, Answer)>;
/// The API's address, and the team.
type Asked = (String, String);

/// The client, with what it knows.
#[derive(Default)]
pub struct Teams {
    known: Mutex<HashMap<Asked, Arc<Turnstile<Entry>>>>,
}

impl fmt::Debug for Teams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Teams")
    }
}

#[derive(Deserialize)]
struct Told {
    /// Whoever does not name it has not said that there is nobody.
    member: Vec<String>,
}

#[derive(Deserialize)]
struct Complaint {
    error: String,
}

impl Teams {
    /// Members of a team, asked of the API at `url` unless that is known. `token` is only awaited when somebody has to ask.
    pub async fn members(
        &self,
        url: &str,
        team: &str,
        token: impl Future<Output = Result<Secret, String>>,
    ) -> Answer {
        let entry = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry((url.to_owned(), team.to_owned())).or_default())
        };
        // One asks, the others wait for the answer.
        let mut entry = entry.lock().await;
        let now = Instant::now();
        if let Some((until, answer)) = entry.as_ref().filter(|(until, _)| now < *until) {
            tracing::debug!(team, until = ?until.duration_since(now), "members are known");
            return answer.clone();
        }
        let asked = async { ask(url, team, &token.await?).await };
        let answer = match asked.await {
            Ok(members) => Source::Known(members),
            Err(problem) => Source::Unknown(problem),
        };
        let good = if answer.known().is_some() { FRESH } else { SILENCE };
        *entry = Some((now + good, answer.clone()));
        answer
    }
}

async fn ask(url: &str, team: &str, token: &Secret) -> Result<Option<BTreeSet<String>>, String> {
    let failed = |why: &dyn fmt::Display| format!("the teams API did not tell the members of {team}: {why}");
    let client = client(url, token).map_err(|problem| failed(&problem))?;
    let request = Request::get(format!("/teams/{}", escaped(team)))
        .header("accept", "application/json")
        .body(Body::empty())
        .map_err(|error| failed(&error))?;
    let exchange = async {
        let answer = client.send(request).await.map_err(|error| chain(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
        let body = body.map_err(|_| "its answer breaks off, or is too long".to_owned())?;
        Ok::<_, String>((status, body.to_bytes()))
    };
    let (status, body) = timeout(LIMIT, exchange)
        .await
        .map_err(|_| failed(&format!("no answer within {}s", LIMIT.as_secs())))?
        .map_err(|problem| failed(&problem))?;
    match status {
        StatusCode::OK => match serde_json::from_slice::<Told>(&body) {
            Ok(told) => Ok(Some(told.member.into_iter().collect())),
            Err(error) => Err(failed(&format!("its answer is not what was expected: {error}"))),
        },
        StatusCode::NOT_FOUND => Ok(None),
        other => {
            let words = serde_json::from_slice::<Complaint>(&body).map(|it| it.error);
            let words = words.unwrap_or_default();
            let words: String = words
                .chars()
                .filter(|it| !it.is_control())
                .take(MAX_WORDS)
                .collect();
            Err(failed(&format!("status {} {words}", other.as_u16())))
        }
    }
}

/// The same kind of client as for the API server: it trusts the machine's authorities, and sends the token as a bearer's.
fn client(url: &str, token: &Secret) -> Result<Client, String> {
    let base: Uri = url
        .trim_end_matches('/')
        .parse()
        .map_err(|_| "its address is no address".to_owned())?;
    if base.host().is_none() || base.scheme().is_none() {
        return Err("its address is no whole address".to_owned());
    }
    let mut config = Config::new(base);
    config.connect_timeout = Some(LIMIT);
    config.read_timeout = Some(LIMIT);
    config.auth_info = AuthInfo {
        token: Some(token.expose().to_owned().into()),
        ..AuthInfo::default()
    };
    Client::try_from(config).map_err(|error| chain(&error))
}

/// Hexadecimal, of a number below sixteen.
fn digit(number: u8) -> char {
    char::from_digit(number.into(), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

/// One segment of a path.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
