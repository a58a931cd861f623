//! The envelope of an admission review: read leniently, as raw JSON, and answered with the uid it came with.
//!
//! Not here: what is decided about the object.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use pgherd_model::finding::Violation;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

pub mod denial;
mod slim;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";
/// More warnings than this are too many to read.
const MOST_WARNINGS: usize = 20;

/// One question of the API server.
#[derive(Debug)]
pub struct Question {
    /// Identifies the question; echoed in the answer.
    pub uid: String,
    /// `CREATE`, `UPDATE`, …
    pub operation: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object; empty while the API server has still to make one.
    pub name: String,
    /// Kind of the object.
    pub kind: String,
    /// API group of the object.
    pub group: String,
    /// Who asks the API server.
    pub user: String,
    /// Will nothing be stored?
    pub is_dry_run: bool,
    /// The object as it would be stored.
    pub object: Value,
    /// The object as it is stored.
    pub old: Option<Value>,
}

/// The envelope is not an admission review. This is an error of HTTP, not a denial.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// JSON of something else.
    #[error("the body is not an {KIND} of {API_VERSION}")]
    NotReview,
    /// There is nothing to answer to.
    #[error("the review has no request with a uid")]
    NoUid,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The change to make to the object.
    pub patch: Option<json_patch::Patch>,
    /// What blocks. Empty: allowed.
    pub violations: Vec<Violation>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Question {
    /// Reads the envelope.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`]: without a uid there can be no answer.
    pub fn read(body: &[u8]) -> Result<Self, EnvelopeError> {
        let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|err| not_review(&err))?;
        if !is(&envelope.api_version, API_VERSION) || !is(&envelope.kind, KIND) {
            return Err(EnvelopeError::NotReview);
        }
        let request = envelope.request.unwrap_or_default();
        let uid = text(request.uid);
        if uid.is_empty() {
            return Err(EnvelopeError::NoUid);
        }
        let read = |object| slim::read(object).map_err(|err| not_review(&err));
        let old = request.old_object.map(read).transpose()?;
        Ok(Self {
            uid,
            operation: text(request.operation),
            namespace: text(request.namespace),
            name: text(request.name),
            kind: text(request.kind["kind"].clone()),
            group: text(request.kind["group"].clone()),
            user: text(request.user_info["username"].clone()),
            is_dry_run: request.dry_run == Value::Bool(true),
            object: request.object.map(read).transpose()?.unwrap_or_default(),
            old: old.filter(|old| !old.is_null()),
        })
    }
}

/// The fields that are used. Each may be of any type: a review that can be answered is answered.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Envelope<'a> {
    #[serde(default)]
    api_version: Value,
    #[serde(default)]
    kind: Value,
    request: Option<Request<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
struct Request<'a> {
    uid: Value,
    operation: Value,
    namespace: Value,
    name: Value,
    kind: Value,
    user_info: Value,
    dry_run: Value,
    object: Option<&'a RawValue>,
    old_object: Option<&'a RawValue>,
}

fn is(value: &Value, text: &str) -> bool {
    value.as_str() == Some(text)
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        _ => String::new(),
    }
}

fn not_review(err: &serde_json::Error) -> EnvelopeError {
    if err.is_data() {
        EnvelopeError::NotReview
    } else {
        EnvelopeError::NotJson(err.to_string())
    }
}

impl Verdict {
    /// Nothing to add, nothing to say.
    pub fn allowed() -> Self {
        Self {
            patch: None,
            violations: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The answer to a question, as the body of the response.
    ///
    /// # Errors
    ///
    /// The patch does not serialize.
    pub fn answer(&self, question: &Question) -> Result<Vec<u8>, serde_json::Error> {
        let mut response = Map::new();
        response.insert("uid".to_owned(), json!(question.uid));
        response.insert("allowed".to_owned(), json!(self.violations.is_empty()));
        if !self.violations.is_empty() {
            response.insert("status".to_owned(), denial::status(question, &self.violations));
            response.insert(
                "auditAnnotations".to_owned(),
                json!({"rules": denial::rules(&self.violations)}),
            );
        }
        if let Some(patch) = &self.patch {
            response.insert("patchType".to_owned(), json!("JSONPatch"));
            response.insert(
                "patch".to_owned(),
                json!(BASE64.encode(serde_json::to_vec(patch)?)),
            );
        }
        if !self.warnings.is_empty() {
            response.insert("warnings".to_owned(), json!(readable(&self.warnings)));
        }
        serde_json::to_vec(&json!({"apiVersion": API_VERSION, "kind": KIND, "response": response}))
    }
}

/// Not more than a screen; each in one line, since warnings are header fields on their way.
fn readable(warnings: &[String]) -> Vec<String> {
    let one_line = |warning: &String| warning.replace(|c: char| c.is_control(), " ");
    let mut shown: Vec<_> = warnings.iter().take(MOST_WARNINGS).map(one_line).collect();
    if warnings.len() > MOST_WARNINGS {
        shown.push(format!("and {} more warnings", warnings.len() - MOST_WARNINGS));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(request: &Value) -> Vec<u8> {
        serde_json::to_vec(&json!({"apiVersion": API_VERSION, "kind": KIND, "request": request})).unwrap()
    }

    #[test]
    fn reads_what_the_api_server_sends() {
        let question = Question::read(&body(&json!({
            "uid": "7", "operation": "UPDATE", "namespace": "shop", "name": "orders", "dryRun": true,
            "kind": {"group": "acid.zalan.do", "version": "v1", "kind": "postgresql"},
            "userInfo": {"username": "alice"}, "object": {"spec": 1}, "oldObject": {"spec": 2}
        })))
        .unwrap();
        assert_eq!(
            (
                question.uid.as_str(),
                question.kind.as_str(),
                question.user.as_str()
            ),
            ("7", "postgresql", "alice")
        );
        assert!(question.is_dry_run);
        assert_eq!(question.object, json!({"spec": 1}));
        assert_eq!(question.old, Some(json!({"spec": 2})));
    }

    #[test]
    fn odd_fields_do_not_hide_the_uid() {
        let question = Question::read(&body(
            &json!({"uid": "7", "kind": "x", "name": 3, "object": "text"}),
        ))
        .unwrap();
        assert_eq!(question.uid, "7");
        assert_eq!(question.object, json!("text"));
        let odd = json!({"uid": "7", "userInfo": [], "kind": null, "dryRun": "yes", "object": null, "oldObject": null});
        let question = Question::read(&body(&odd)).unwrap();
        assert_eq!(
            (question.object, question.old, question.is_dry_run),
            (Value::Null, None, false)
        );
    }

    #[test]
    fn what_cannot_be_answered_is_an_error() {
        assert!(matches!(Question::read(b"{"), Err(EnvelopeError::NotJson(_))));
        for other in ["[]", "7", "{}", "null", r#"{"kind": "List"}"#] {
            assert_eq!(
                Question::read(other.as_bytes()).unwrap_err(),
                EnvelopeError::NotReview,
                "{other}"
            );
        }
        assert_eq!(
            Question::read(&body(&json!({"uid": ""}))).unwrap_err(),
            EnvelopeError::NoUid
        );
        assert_eq!(
            Question::read(&body(&json!(null))).unwrap_err(),
            EnvelopeError::NoUid
        );
    }

    #[test]
    fn warnings_are_single_lines_and_not_too_many() {
        let many: Vec<_> = (0..30).map(|number| format!("a\nb {number}")).collect();
        let shown = readable(&many);
        assert_eq!(shown.len(), MOST_WARNINGS + 1);
        assert_eq!(shown[0], "a b 0");
        assert_eq!(shown[MOST_WARNINGS], "and 10 more warnings");
    }
}
