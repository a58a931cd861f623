//! Whole turns in which the API server refuses something.

use super::*;
use crate::testing::{FakeApi, manifest};

const MANIFEST: &str = "/apis/acid.zalan.do/v1/namespaces/apps/postgresqls/acid-demo";
const SET: &str = "/apis/apps/v1/namespaces/apps/statefulsets/acid-demo";
const SERVICE: &str = "POST /api/v1/namespaces/apps/services";
const SECRET: &str = "POST /api/v1/namespaces/apps/secrets";

/// A new cluster's first turn, with requests that begin like this refused.
async fn first_turn(refused: &str, code: u16) -> (FakeApi, Ending) {
    let api = FakeApi::default();
    let context = api.context();
    let cluster = api.submit(&context, &manifest());
    api.refuse(refused, code);
    let ending = reconcile(&context, &cluster).await;
    (api, ending)
}

#[tokio::test]
async fn a_service_that_cannot_be_had_keeps_no_cluster_from_being_made() {
    for (code, retry) in [
        (422, Retry::OnChange),
        (403, Retry::OnChange),
        (500, Retry::Backoff),
    ] {
        let (api, ending) = first_turn(SERVICE, code).await;
        assert!(api.get(SET).is_some(), "{code}");
        assert_eq!(ending.word, "failed", "{code}");
        assert_eq!(ending.next, Next::Despite(retry, Rest::Done), "{code}");
        let status = api.get(MANIFEST).unwrap()["status"].to_string();
        assert!(status.contains("apply Service apps/acid-demo"), "{status}");
    }
}

#[tokio::test]
async fn what_fails_alone_keeps_no_other_cluster_from_rolling() {
    for (code, hinders) in [(403, false), (503, true)] {
        let api = FakeApi::default();
        let context = api.context();
        let cluster = api.submit(&context, &manifest());
        let due = pgherd_planner::fleet::Roll {
            is_due: true,
            members: 1,
            ..Default::default()
        };
        let (_, round) = context.fleet.begin(|| context.config());
        context.fleet.hear(&cluster, &due, 1, round, || context.config());
        let outcome = {
            use crate::execute::{Scene, execute};
            let config = context.config();
            let names = Names::of("apps", "acid-demo", &config);
            let view = pgherd_planner::observed::ClusterView::default();
            let scene = Scene {
                cluster: &cluster,
                names: &names,
                config: &config,
                view: &view,
                pods: &[],
            };
            api.refuse("PATCH", code);
            let target = pgherd_planner::observed::ObjectRef {
                kind: "PersistentVolumeClaim".to_owned(),
                namespace: "apps".to_owned(),
                name: "pgdata-acid-demo-0".to_owned(),
                ..Default::default()
            };
            let action = pgherd_planner::plan::Action::GrowClaim {
                target,
                size: "2Gi".to_owned(),
            };
            let steps = vec![Step { action, ..step() }];
            let plan = Plan {
                steps,
                ..Plan::default()
            };
            execute(&context, &scene, &plan).await.outcome
        };
        assert_eq!(outcome.failures().len(), 1, "{outcome:?}");
        account(&context, &cluster, &outcome);
        assert_eq!(context.fleet.counts().2, usize::from(hinders), "{code}");
    }
}

#[tokio::test]
async fn members_are_not_made_before_what_they_are_made_of_and_nothing_is_tried_in_an_outage() {
    for (refused, code) in [(SECRET, 403), (SERVICE, 503), (SERVICE, 429)] {
        let (api, ending) = first_turn(refused, code).await;
        assert!(api.get(SET).is_none(), "{refused} {code}");
        assert!(
            matches!(ending.next, Next::Backoff | Next::LastResort),
            "{ending:?}"
        );
    }
}
