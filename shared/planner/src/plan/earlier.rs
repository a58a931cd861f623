//! What Patroni kept of an earlier cluster of this name: it names a database that no longer exists, and members of a new one would wait for
//! its leader for ever. With owner references and no controller running Kubernetes removes it while members still live, and they write it again.
//! Lives here: when it goes, which is before the StatefulSet is made. Must not: who is looked at (controller).
//!
//! Nobody's data hangs on it as long as there are no volumes: where there is one of the cluster's, whoever made it, a member will find its
//! database there and what Patroni knew of it.

use jiff::Timestamp;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;

use super::claims::is_claim_of_member;
use super::{Action, Matter, Plan, Precondition, Propagation, Reason};
use crate::observed::{EarlierLife, Observed, Source, StateObject};

/// False: it is not known what there is, and the StatefulSet waits.
pub(super) fn clear(
    cluster: &Cluster,
    observed: &Observed,
    config: &OperatorConfig,
    plan: &mut Plan,
) -> bool {
    let earlier = match &observed.earlier {
        None => return true,
        Some(Source::Known(earlier)) => earlier,
        Some(Source::Unknown(why)) => {
            plan.hold_unknown(
                Matter::StatefulSet,
                "what patroni kept of an earlier cluster",
                why,
            );
            return false;
        }
    };
    let names = Names::of(&cluster.identity.namespace, &cluster.identity.name, config);
    let created = observed.cluster.created.as_deref();
    let created: Option<Timestamp> = created.and_then(|time| time.parse().ok());
    let Some(created) = created.filter(|_| has_nothing(&names, observed, earlier)) else {
        return true;
    };
    let is_older = |found: &&StateObject| found.made.is_some_and(|made| made < created);
    for found in earlier.state.iter().filter(is_older) {
        let target = found.object.clone();
        // Who writes it lives.
        let unchanged = Precondition::Unchanged(target.resource_version.clone());
        let propagation = Propagation::Background;
        plan.quiet(Action::Delete { target, propagation }, Reason::Earlier, unchanged);
    }
    true
}

/// Neither member nor volume, by the watches and by what was asked just now, with whatever labels.
fn has_nothing(names: &Names, observed: &Observed, earlier: &EarlierLife) -> bool {
    let (Some(pods), Some(claims)) = (observed.pods.known(), observed.claims.known()) else {
        return false;
    };
    let no_set = matches!(observed.stateful_set, Source::Known(None));
    let is_pod = |name: &String| names.ordinal(name).is_some();
    let is_claim = |name: &String| is_claim_of_member(names, name);
    no_set
        && pods.is_empty()
        && !claims.iter().any(|claim| is_claim(&claim.name))
        && !earlier.pods.iter().any(is_pod)
        && !earlier.claims.iter().any(is_claim)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::StatefulSet;
    use pgherd_model::config::Form;
    use serde_json::json;

    use super::*;
    use crate::observed::{ClaimView, ClusterView, ObjectRef, PodView};

    fn state(name: &str, made: &str) -> StateObject {
        StateObject {
            object: ObjectRef {
                kind: "ConfigMap".to_owned(),
                namespace: "n".to_owned(),
                name: name.to_owned(),
                uid: format!("uid-{name}"),
                resource_version: "7".to_owned(),
            },
            made: made.parse().ok(),
            ..StateObject::default()
        }
    }

    /// A manifest of noon, and state of the morning.
    fn world() -> Observed {
        let earlier = EarlierLife {
            state: vec![
                state("acid-a-config", "2026-01-01T09:00:00Z"),
                state("acid-a-leader", "2026-01-01T12:00:01Z"),
                state("acid-a-sync", "2026-01-01T12:00:00Z"),
                state("acid-a-failover", ""),
            ],
            claims: vec!["pgdata-acid-b-0".to_owned(), "backup-acid-a-0".to_owned()],
            pods: vec!["acid-a-pooler-7d9f-x".to_owned(), "acid-b-0".to_owned()],
        };
        Observed {
            cluster: ClusterView {
                created: Some("2026-01-01T12:00:00Z".to_owned()),
                ..ClusterView::default()
            },
            stateful_set: Source::Known(None),
            pods: Source::Known(vec![]),
            claims: Source::Known(vec![]),
            earlier: Some(Source::Known(earlier)),
            ..Observed::default()
        }
    }

    fn look(observed: &Observed) -> (bool, Plan) {
        let config = OperatorConfig::default_for(Form::ConfigMap);
        let manifest = json!({
            "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
            "metadata": {"name": "acid-a", "namespace": "n"},
            "spec": {"teamId": "acid", "numberOfInstances": 1, "volume": {"size": "1Gi"}, "postgresql": {"version": "17"}},
        });
        let cluster = Cluster::parse(&serde_json::from_value(manifest).unwrap(), &config).unwrap();
        let mut plan = Plan::default();
        let goes_on = clear(&cluster, observed, &config, &mut plan);
        (goes_on, plan)
    }

    fn earlier(observed: &mut Observed) -> &mut EarlierLife {
        match &mut observed.earlier {
            Some(Source::Known(earlier)) => earlier,
            _ => unreachable!(),
        }
    }

    #[test]
    fn what_is_older_than_the_object_goes_exactly_as_it_was_seen() {
        let (goes_on, plan) = look(&world());
        assert!(goes_on);
        let [step] = plan.steps.as_slice() else {
            panic!("{:#?}", plan.steps)
        };
        assert_eq!(
            step.to_string(),
            "delete ConfigMap n/acid-a-config (of an earlier cluster of this name)"
        );
        assert_eq!(step.precondition, Precondition::Unchanged("7".to_owned()));
        let named =
            matches!(&step.action, Action::Delete { target, .. } if target.uid == "uid-acid-a-config");
        assert!(named, "not its successor");
    }

    #[test]
    fn whatever_could_be_of_the_database_keeps_it() {
        let claim = |name: &str, terminating| ClaimView {
            name: name.to_owned(),
            terminating,
            ..ClaimView::default()
        };
        let pod = PodView {
            name: "acid-a-0".to_owned(),
            terminating: true,
            ..PodView::default()
        };
        let unknown = || "timed out".to_owned();
        let changes: [&dyn Fn(&mut Observed); 12] = [
            &|it| it.claims = Source::Known(vec![claim("pgdata-acid-a-3", false)]),
            &|it| it.claims = Source::Known(vec![claim("pgdata-acid-a-0", true)]),
            &|it| it.claims = Source::Unknown(unknown()),
            &|it| earlier(it).claims.push("pgdata-acid-a-0".to_owned()),
            &|it| it.pods = Source::Known(vec![pod.clone()]),
            &|it| it.pods = Source::Unknown(unknown()),
            &|it| earlier(it).pods.push("acid-a-1".to_owned()),
            &|it| it.stateful_set = Source::Known(Some(StatefulSet::default())),
            &|it| it.stateful_set = Source::Unknown(unknown()),
            &|it| it.cluster.created = None,
            &|it| it.cluster.created = Some("2026-01-01T08:00:00Z".to_owned()),
            &|it| it.earlier = None,
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut observed = world();
            change(&mut observed);
            let (goes_on, plan) = look(&observed);
            assert!(goes_on && plan == Plan::default(), "case {number}: {plan:?}");
        }
    }

    #[test]
    fn nothing_is_made_on_what_is_not_known() {
        let mut observed = world();
        observed.earlier = Some(Source::Unknown("timed out".to_owned()));
        let (goes_on, plan) = look(&observed);
        assert!(!goes_on && plan.steps.is_empty() && plan.holds.len() == 1);
        assert!(plan.wake_after.is_some());
    }
}
