//! A switchover or failover that Patroni was asked for, read from the object in which Patroni keeps it, and only while nobody leads: Patroni
//! tells of scheduled ones alone. Must not: say whether it hangs (planner).

use jiff::Timestamp;
use pgherd_model::names::objects::PatroniObject;
use pgherd_planner::build::uses_config_maps;
use pgherd_planner::observed::{HandoverRequest, ObjectRef, PatroniView};

use super::Question;
use crate::context::Context;
use crate::patroni::wire::{CANDIDATE, REQUEST};

/// None as well when it cannot be read: it is looked for again at the next turn.
pub(super) async fn read(
    context: &Context,
    question: &Question<'_>,
    patroni: &PatroniView,
) -> Option<HandoverRequest> {
    let found = if patroni.members.is_empty() || patroni.leader().is_some() {
        None
    } else {
        find(context, question).await
    };
    context.memories.with(question.cluster, |memory| {
        let version = found.as_ref().map(|(target, _)| target.resource_version.clone());
        let before = memory.pending_handover.take();
        let same = before.filter(|(seen, _)| Some(seen) == version.as_ref());
        memory.pending_handover = same.or(version.map(|version| (version, Timestamp::now())));
        let (_, since) = memory.pending_handover.clone()?;
        let (kept_in, candidate) = found?;
        Some(HandoverRequest {
            kept_in,
            candidate,
            since,
        })
    })
}

/// Where it is kept, and who shall lead.
async fn find(context: &Context, question: &Question<'_>) -> Option<(ObjectRef, Option<String>)> {
    if question
        .config
        .general
        .etcd_host
        .as_deref()
        .is_some_and(|host| !host.is_empty())
    {
        return None;
    }
    let kind = if uses_config_maps(question.config) {
        "ConfigMap"
    } else {
        "Endpoints"
    };
    let namespace = &question.cluster.namespace;
    let name = question.names.patroni(PatroniObject::Failover);
    let object = match context.read(kind, namespace, &name).await {
        Ok(object) => object?,
        Err(error) => {
            tracing::debug!(error, "whether a switchover is asked for is not known");
            return None;
        }
    };
    let metadata = &object["metadata"];
    let text = |key: &str| {
        metadata["annotations"][key]
            .as_str()
            .filter(|text| !text.is_empty())
    };
    let is_asked = REQUEST.into_iter().any(|key| text(key).is_some());
    let field = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
    is_asked.then(|| {
        let kept_in = ObjectRef {
            kind: kind.to_owned(),
            namespace: namespace.clone(),
            name,
            uid: field("uid"),
            resource_version: field("resourceVersion"),
        };
        (kept_in, text(CANDIDATE).map(str::to_owned))
    })
}

#[cfg(test)]
mod tests {
    use pgherd_model::names::Names;
    use pgherd_planner::observed::{ClusterView, MemberRole, MemberView};
    use serde_json::json;

    use super::*;
    use crate::cluster_ref::ClusterRef;
    use crate::testing::FakeApi;

    const PATH: &str = "/api/v1/namespaces/apps/configmaps/a-failover";

    fn patroni(role: MemberRole) -> PatroniView {
        let member = MemberView {
            name: "a-0".to_owned(),
            role,
            ..MemberView::default()
        };
        PatroniView {
            members: vec![member],
            ..PatroniView::default()
        }
    }

    async fn asked(context: &Context, role: MemberRole) -> Option<HandoverRequest> {
        let (cluster, config) = (ClusterRef::new("apps", "a"), context.config());
        let question = Question {
            cluster: &cluster,
            view: &ClusterView::default(),
            names: &Names::of("apps", "a", &config),
            config: &config,
            desired: None,
            sources: &pgherd_model::cluster::RoleSources::default(),
            inside: crate::sql::catalog::Inside::default(),
            catalog_unwanted: None,
            deleting: false,
            spared: None,
        };
        read(context, &question, &patroni(role)).await
    }

    #[tokio::test]
    async fn a_request_counts_from_when_nobody_leads() {
        let api = FakeApi::default();
        let context = api.context();
        let object = |annotations| json!({"metadata": {"name": "a-failover", "resourceVersion": "7", "annotations": annotations}});
        api.put(PATH, object(json!({"member": "a-1"})));
        assert_eq!(asked(&context, MemberRole::Leader).await, None);
        assert_eq!(api.asked().len(), 0, "nobody looks as long as somebody leads");
        let first = asked(&context, MemberRole::Replica).await.unwrap();
        assert_eq!(first.candidate.as_deref(), Some("a-1"));
        assert_eq!(
            (first.kept_in.kind.as_str(), first.kept_in.name.as_str()),
            ("ConfigMap", "a-failover")
        );
        let again = asked(&context, MemberRole::Replica).await.unwrap();
        assert_eq!(again, first, "it is the same one");
        assert_eq!(asked(&context, MemberRole::Leader).await, None);
        let later = asked(&context, MemberRole::Replica).await.unwrap();
        assert!(later.since > first.since, "somebody led meanwhile");
        api.put(PATH, object(json!({"history": "[]"})));
        assert_eq!(
            asked(&context, MemberRole::Replica).await,
            None,
            "empty, as Patroni leaves it"
        );
    }
}
