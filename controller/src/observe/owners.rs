//! Who owns what Patroni writes to: its own objects, and in Endpoints mode the primary's. Read where they are to have owners, and then once a
//! resync: no watch covers them. Must not: decide who shall own them (planner).

use kube::core::ObjectMeta;
use pgherd_model::names::Role;
use pgherd_planner::build::{Desired, uses_config_maps};
use pgherd_planner::observed::{ObjectRef, PatroniView, Source, StateObject};

use super::{Question, leftovers};
use crate::context::Context;
use crate::error::said;
use crate::kinds;

/// Once somebody leads: before that the objects are being made.
pub(super) async fn read(
    context: &Context,
    question: &Question<'_>,
    patroni: &Source<PatroniView>,
) -> Source<Vec<StateObject>> {
    let owners = question.desired.map(Desired::owners).unwrap_or_default();
    let leader = patroni.known().and_then(PatroniView::running_leader);
    if owners.is_empty() || leader.is_none() {
        return Source::default();
    }
    let memories = &context.memories;
    let remembered = memories.with(question.cluster, |memory| memory.state_objects.clone());
    let mut found = match remembered {
        Some(found) => found,
        None => match list(context, question).await {
            Ok(found) => found,
            Err(error) => return Source::Unknown(format!("cannot list patroni's objects: {}", said(&error))),
        },
    };
    let kept = found.clone();
    memories.with(question.cluster, |memory| memory.state_objects = Some(kept));
    if let Some((object, metadata)) = leftovers::config_service(context, question) {
        let metadata = serde_json::from_value(metadata).unwrap_or_default();
        found.push(state_object(object, metadata));
    }
    Source::Known(found)
}

async fn list(context: &Context, question: &Question<'_>) -> Result<Vec<StateObject>, kube::Error> {
    let mut ours = leftovers::state_objects(question);
    let resource = if uses_config_maps(question.config) {
        kinds::config_map()
    } else {
        ours.push(question.names.service(Role::Primary));
        kinds::endpoints()
    };
    let listed = leftovers::list(context, question, &resource, &ours).await?;
    let objects = listed.into_iter();
    Ok(objects
        .map(|(object, metadata)| state_object(object, metadata))
        .collect())
}

pub(super) fn state_object(object: ObjectRef, metadata: ObjectMeta) -> StateObject {
    StateObject {
        object,
        owner_references: metadata.owner_references.unwrap_or_default(),
        made: metadata.creation_timestamp.map(|made| made.0),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use pgherd_model::cluster::{Cluster, RoleSources};
    use pgherd_model::config::OperatorConfig;
    use pgherd_model::names::Names;
    use pgherd_planner::assess::Outcome;
    use pgherd_planner::build::build;
    use pgherd_planner::observed::{ClusterView, MemberRole, MemberView, Observed};
    use pgherd_planner::plan::{Action, Plan, plan};
    use serde_json::{Value, json};
    use tokio::time::Instant;

    use super::*;
    use crate::cluster_ref::ClusterRef;
    use crate::execute::{Scene, execute};
    use crate::sql::catalog::Inside;
    use crate::testing::{FakeApi, manifest};

    const LIST: &str = "/api/v1/namespaces/apps/configmaps";
    const CONFIG: &str = "/api/v1/namespaces/apps/configmaps/acid-demo-config";

    /// A cluster whose objects are to have an owner or not, and whose primary leads or not.
    struct Stage {
        context: Context,
        config: OperatorConfig,
        cluster: Cluster,
        leads: bool,
    }

    impl Stage {
        fn new(api: &FakeApi, is_owned: bool, leads: bool) -> Self {
            let context = api.context();
            let mut config = OperatorConfig::clone(&context.config());
            config.kubernetes.enable_owner_references = is_owned;
            Self {
                cluster: Cluster::parse(&serde_json::from_value(manifest()).unwrap(), &config).unwrap(),
                context,
                config,
                leads,
            }
        }

        fn patroni(&self) -> Source<PatroniView> {
            let member = MemberView {
                name: "acid-demo-0".to_owned(),
                role: if self.leads {
                    MemberRole::Leader
                } else {
                    MemberRole::Replica
                },
                state: "running".to_owned(),
                ..MemberView::default()
            };
            Source::Known(PatroniView {
                members: vec![member],
                ..PatroniView::default()
            })
        }

        /// What one turn plans about owners, and what comes of it.
        async fn turn(&self) -> (usize, Outcome) {
            let cluster = ClusterRef::new("apps", "acid-demo");
            let (config, names) = (&self.config, Names::of("apps", "acid-demo", &self.config));
            let (view, sources) = (ClusterView::default(), RoleSources::default());
            let desired = build(&self.cluster, config, &Source::default());
            let question = Question {
                cluster: &cluster,
                view: &view,
                names: &names,
                config,
                desired: Some(&desired),
                sources: &sources,
                inside: Inside::default(),
                catalog_unwanted: None,
                deleting: false,
                spared: None,
            };
            let observed = Observed {
                state_objects: read(&self.context, &question, &self.patroni()).await,
                ..Observed::default()
            };
            let mut plan: Plan = plan(&self.cluster, &desired, &observed, config, Timestamp::now());
            plan.steps
                .retain(|step| matches!(step.action, Action::Patch { .. }));
            let scene = Scene {
                cluster: &cluster,
                names: &names,
                config,
                view: &view,
                pods: &[],
            };
            let outcome = execute(&self.context, &scene, &plan).await.outcome;
            (plan.steps.len(), outcome)
        }
    }

    fn stored(api: &FakeApi) {
        let labels = json!({"application": "spilo", "cluster-name": "acid-demo"});
        let object = json!({"metadata": {"name": "acid-demo-config", "namespace": "apps", "uid": "u-1",
            "labels": labels, "annotations": {"config": "{}"}}});
        let beside = json!({"metadata": {"name": "acid-demo-settings", "namespace": "apps", "uid": "u-2"}});
        api.put(CONFIG, object.clone());
        api.put(LIST, json!({"metadata": {}, "items": [object, beside]}));
    }

    fn asked_once() -> [String; 2] {
        [format!("GET {LIST}"), format!("PATCH {CONFIG}")]
    }

    #[tokio::test]
    async fn an_owner_is_written_once_and_looked_for_once_a_resync() {
        let api = FakeApi::default();
        stored(&api);
        let stage = Stage::new(&api, true, true);
        api.asked();
        assert_eq!(Box::pin(stage.turn()).await, (1, Outcome::Done));
        assert_eq!(api.asked(), asked_once());
        let metadata: Value = api.get(CONFIG).unwrap()["metadata"].clone();
        let owner = json!([{"apiVersion": "acid.zalan.do/v1", "kind": "postgresql", "name": "acid-demo",
            "uid": "uid-demo", "controller": true}]);
        assert_eq!(metadata["ownerReferences"], owner);
        assert_eq!(metadata["annotations"]["config"], "{}", "Patroni's stays");
        assert_eq!(Box::pin(stage.turn()).await.0, 0);
        assert_eq!(
            api.asked(),
            [""; 0],
            "nothing is read or written as long as nothing is new"
        );
        let cluster = ClusterRef::new("apps", "acid-demo");
        stage.context.memories.with(&cluster, |memory| {
            memory.begin(Instant::now(), std::time::Duration::ZERO, None);
        });
        Box::pin(stage.turn()).await;
        assert_eq!(api.asked()[0], format!("GET {LIST}"), "a resync believes nothing");
    }

    #[tokio::test]
    async fn nobody_asks_where_there_are_no_owners_or_nobody_leads() {
        let api = FakeApi::default();
        stored(&api);
        for (is_owned, leads) in [(false, true), (true, false)] {
            let stage = Stage::new(&api, is_owned, leads);
            api.asked();
            assert_eq!(Box::pin(stage.turn()).await.0, 0);
            assert_eq!(api.asked(), [""; 0]);
        }
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_read_again() {
        let api = FakeApi::default();
        stored(&api);
        let stage = Stage::new(&api, true, true);
        api.refuse(&format!("PATCH {CONFIG}"), 404);
        assert!(matches!(Box::pin(stage.turn()).await.1, Outcome::Failed(_)));
        api.accept();
        api.asked();
        assert_eq!(Box::pin(stage.turn()).await.1, Outcome::Done);
        assert_eq!(api.asked(), asked_once());
    }
}
