//! Passwords that pods read when they start, edited in their secrets.

use pgherd_model::names::annotations::{PASSWORD_CHANGED, ROLL_MARKED, ROLLING_UPDATE_REQUIRED};
use pgherd_model::units::Window;

use super::*;
use crate::observed::PodView;

const NOON: &str = "2026-01-01T12:00:00Z";

struct Edited {
    cluster: Cluster,
    observed: Observed,
}

impl Edited {
    /// Somebody has edited the secret of this role.
    fn of(role: &str) -> Self {
        let mut catalog = converged();
        catalog.roles.get_mut(role).unwrap().password_matches = Some(false);
        let pods = ["demo-0", "demo-1"].map(|name| PodView {
            name: name.to_owned(),
            uid: name.to_owned(),
            ..PodView::default()
        });
        let observed = Observed {
            catalog: Source::Known(catalog),
            pods: Source::Known(pods.into()),
            ..Observed::default()
        };
        Self {
            cluster: shop(),
            observed,
        }
    }

    fn plan(&self) -> Plan {
        let mut plan = Plan::default();
        let now = NOON.parse().unwrap();
        provision(&self.cluster, &config(), &self.observed, now, &mut plan);
        plan
    }

    fn close_windows(&mut self) {
        self.cluster.windows = vec![Window::parse("13:00-14:00").unwrap()];
    }

    fn mark(&mut self, keys: &[(&str, &str)]) {
        let Source::Known(pods) = &mut self.observed.pods else {
            panic!("pods are known")
        };
        for pod in pods {
            let marks = keys
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            pod.annotations.extend(marks);
        }
    }
}

fn kinds(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.action.kind()).collect()
}

#[test]
fn pods_that_know_the_password_before_are_marked_before_the_server_is_told() {
    for role in ["standby", "postgres"] {
        let plan = Edited::of(role).plan();
        assert_eq!(kinds(&plan), ["Relabel", "Relabel", "RunSql"], "{role}");
        let Action::Relabel { annotations, .. } = &plan.steps[0].action else {
            panic!("{plan:?}")
        };
        let mark = |key: &str| annotations.get(key).cloned().flatten();
        assert_eq!(mark(ROLLING_UPDATE_REQUIRED).as_deref(), Some("true"));
        assert_eq!(mark(PASSWORD_CHANGED).as_deref(), Some(role));
        let told = statements(&plan).join(" ");
        assert!(
            told.contains(&format!("ALTER ROLE \"{role}\"")) && told.contains("PASSWORD …"),
            "{told}"
        );
        let of_pods = |step: &&Step| step.action.kind() == "Relabel";
        for mark in plan.steps.iter().filter(of_pods) {
            assert!(
                mark.hinders(&plan.steps[2], "default"),
                "not told without its mark"
            );
        }
    }
    // Nobody else's password is read by pods.
    assert_eq!(kinds(&Edited::of("reader").plan()), ["RunSql"]);
}

#[test]
fn pods_are_marked_once() {
    let marks = |role| [(ROLLING_UPDATE_REQUIRED, "true"), (PASSWORD_CHANGED, role)];
    let kinds_with = |edited: &str, marks: &[(&str, &str)]| -> Vec<String> {
        let mut world = Edited::of(edited);
        world.mark(marks);
        kinds(&world.plan()).into_iter().map(str::to_owned).collect()
    };
    assert_eq!(kinds_with("standby", &marks("standby")), ["RunSql"]);
    assert_eq!(kinds_with("postgres", &marks("standby")), ["RunSql"]);
    // Who is marked for less, or for a template that may be taken back, is marked again.
    let again = ["Relabel", "Relabel", "RunSql"];
    assert_eq!(kinds_with("standby", &marks("postgres")), again);
    let template = [(ROLLING_UPDATE_REQUIRED, "true"), (ROLL_MARKED, "true")];
    assert_eq!(kinds_with("standby", &template), again);
}

/// A pod that is made meanwhile reads the new one out of the secret.
#[test]
fn no_window_is_waited_for() {
    for role in ["standby", "postgres"] {
        let mut world = Edited::of(role);
        world.close_windows();
        let plan = world.plan();
        assert_eq!(kinds(&plan), ["Relabel", "Relabel", "RunSql"], "{role}");
        assert!(plan.holds.is_empty(), "{:?}", plan.holds);
    }
}

/// The password is the same, only its form in the server is another.
#[test]
fn another_verifier_of_the_same_password_disturbs_no_pod() {
    let mut world = Edited::of("standby");
    let Source::Known(catalog) = &mut world.observed.catalog else {
        panic!("the catalog is known")
    };
    let role = catalog.roles.get_mut("standby").unwrap();
    role.password_matches = Some(true);
    role.md5 = true;
    assert_eq!(kinds(&world.plan()), ["RunSql"]);
}
