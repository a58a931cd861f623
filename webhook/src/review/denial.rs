//! Violations as the API server's own kind of refusal: a `Status` with one cause per violation, and a text that lists them all.

use pgherd_model::finding::Violation;
use serde_json::{Value, json};

use super::Question;

/// More causes than this are not read.
const MOST_CAUSES: usize = 50;
/// HTTP's "unprocessable entity": what the API server answers to an invalid object.
const INVALID: u16 = 422;

/// The `status` of a denial.
pub fn status(question: &Question, violations: &[Violation]) -> Value {
    let mut causes: Vec<Value> = violations.iter().take(MOST_CAUSES).map(cause).collect();
    if violations.len() > MOST_CAUSES {
        let message = format!("and {} more", violations.len() - MOST_CAUSES);
        causes.push(json!({"reason": "FieldValueInvalid", "message": message}));
    }
    json!({
        "status": "Failure",
        "code": INVALID,
        "reason": "Invalid",
        "message": message(violations),
        "details": {"name": question.name, "group": question.group, "kind": question.kind, "causes": causes},
    })
}

/// The rules that were broken, for the audit log: each once, in order.
pub fn rules(violations: &[Violation]) -> String {
    let mut rules: Vec<&str> = violations.iter().map(|violation| violation.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules.join(",")
}

fn cause(violation: &Violation) -> Value {
    json!({
        "reason": "FieldValueInvalid",
        "field": violation.path,
        "message": format!("{} ({})", violation.message, violation.rule),
    })
}

/// One line for one problem, a list for more. Some clients print nothing but this.
fn message(violations: &[Violation]) -> String {
    if let [only] = violations {
        return only.to_string();
    }
    let mut lines = vec![format!("{} problems", violations.len())];
    lines.extend(
        violations
            .iter()
            .take(MOST_CAUSES)
            .map(|violation| format!("* {violation}")),
    );
    if violations.len() > MOST_CAUSES {
        lines.push(format!("* and {} more", violations.len() - MOST_CAUSES));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        let body = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": "7", "name": "orders", "kind": {"group": "acid.zalan.do", "kind": "postgresql"}}
        });
        Question::read(body.to_string().as_bytes()).unwrap()
    }

    fn violations(number: usize) -> Vec<Violation> {
        (0..number)
            .map(|n| Violation::new("PGV-001", format!("spec.f{n}"), "is wrong"))
            .collect()
    }

    #[test]
    fn each_violation_is_a_cause_with_its_field() {
        let status = status(&question(), &violations(2));
        assert_eq!(status["code"], 422);
        assert_eq!(status["reason"], "Invalid");
        assert_eq!(
            status["message"],
            "2 problems\n* spec.f0: is wrong (PGV-001)\n* spec.f1: is wrong (PGV-001)"
        );
        let cause =
            json!({"reason": "FieldValueInvalid", "field": "spec.f1", "message": "is wrong (PGV-001)"});
        assert_eq!(status["details"]["causes"][1], cause);
        assert_eq!(status["details"]["kind"], "postgresql");
        assert_eq!(rules(&violations(2)), "PGV-001");
    }

    #[test]
    fn a_single_violation_is_one_line() {
        assert_eq!(
            status(&question(), &violations(1))["message"],
            "spec.f0: is wrong (PGV-001)"
        );
    }

    #[test]
    fn endless_lists_are_cut_and_say_so() {
        let status = status(&question(), &violations(70));
        let causes = status["details"]["causes"].as_array().unwrap();
        assert_eq!(causes.len(), 51);
        assert_eq!(causes[50]["message"], "and 20 more");
        assert!(status["message"].as_str().unwrap().ends_with("* and 20 more"));
    }
}
