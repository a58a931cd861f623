//! The service's way to the new primary, made while Patroni still hands over. Must not: decide who leads, that is Patroni's.
//!
//! A service that finds its primary by label follows Patroni's labels: they move when the new primary has its lock. From there a label's way
//! through the slice of endpoints and the rules on the nodes is long, and nodes take up one change a second: the removal of the old primary
//! keeps them from seeing the new one. So the label moves ahead, at the moment when the old primary takes no connections any more. Whoever
//! comes too early finds a server that reads only. Every member writes its own label at each of its rounds, as Patroni says: should the
//! handover fail, or this controller end in the middle of it, the labels are right again within `loop_wait`.

use std::net::IpAddr;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use pgherd_model::names::Role;
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_planner::build::uses_config_maps;
use serde_json::{Value, json};

use super::Scene;
use crate::context::Context;

/// How often the old primary is asked whether it stops.
const GLANCE: Duration = Duration::from_millis(25);
/// Patroni's word for a member whose Postgres serves.
const RUNNING: &str = "running";

/// Moves the label when the leader at this address stops. For ever: whoever asks for it knows when the handover is over.
pub(super) async fn guide(
    context: &Context,
    scene: &Scene<'_>,
    at: IpAddr,
    leader: &str,
    candidate: &str,
) -> std::convert::Infallible {
    if uses_config_maps(scene.config) {
        stops(context, at).await;
        let primary = Value::from(Role::Primary.label());
        futures::join!(
            label(context, scene, candidate, &primary),
            label(context, scene, leader, &Value::Null)
        );
    }
    std::future::pending().await
}

async fn stops(context: &Context, at: IpAddr) {
    loop {
        // A member that does not answer may still serve.
        if let Ok(answer) = context.patroni.member(at).await
            && answer.state != RUNNING
        {
            return;
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Patroni does it too, a moment later: what fails here is not worth a word.
async fn label(context: &Context, scene: &Scene<'_>, pod: &str, role: &Value) {
    let Some(pods) = context.objects("Pod", &scene.cluster.namespace) else {
        return;
    };
    let key = scene.config.kubernetes.pod_role_label.as_str();
    let body = json!({"metadata": {"labels": {key: role}}});
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match pods.patch(pod, &params, &Patch::Merge(body)).await {
        Ok(_) => tracing::debug!(pod, %role, "role moved ahead"),
        Err(error) => tracing::debug!(pod, %error, "role not moved ahead"),
    }
}
