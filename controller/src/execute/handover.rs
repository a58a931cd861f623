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
        // In this order: a service that has nobody for a moment is one whose rules on the nodes are made twice, and what comes between the two
        // is lost, so that it is sent again after a second only. One that has both sends some to where nobody listens, who try again at once.
        label(context, scene, candidate, &primary).await;
        label(context, scene, leader, &Value::Null).await;
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use pgherd_model::config::OperatorConfig;
    use pgherd_model::names::Names;
    use pgherd_planner::observed::ClusterView;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::cluster_ref::ClusterRef;
    use crate::patroni::Patroni;
    use crate::testing::FakeApi;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn path(pod: &str) -> String {
        format!("/api/v1/namespaces/apps/pods/{pod}")
    }

    /// A member that says `running` so many times, and then that it stops.
    async fn member(running: usize) -> Patroni {
        let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            for asked in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = vec![0; 4096];
                let _ = stream.read(&mut buffer).await;
                let state = if asked < running { "running" } else { "stopping" };
                let body = format!(r#"{{"state":"{state}","role":"primary"}}"#);
                let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        Patroni::at_port(port)
    }

    /// The roles of the two members after half a second of a handover, and what was asked of the API server.
    async fn after_handover(
        change: impl FnOnce(&mut OperatorConfig),
        running: usize,
    ) -> (Value, Value, Vec<String>) {
        let api = FakeApi::default();
        let mut context = api.context();
        context.patroni = member(running).await;
        for (pod, role) in [("a-0", "master"), ("a-1", "replica")] {
            let labels = json!({"spilo-role": role, "team": "t"});
            api.put(&path(pod), json!({"metadata": {"name": pod, "labels": labels}}));
        }
        let mut config = (*context.config()).clone();
        change(&mut config);
        let scene = Scene {
            cluster: &ClusterRef::new("apps", "a"),
            names: &Names::of("apps", "a", &config),
            config: &config,
            view: &ClusterView::default(),
            pods: &[],
        };
        let never = guide(&context, &scene, LOCAL, "a-0", "a-1");
        assert!(
            tokio::time::timeout(Duration::from_millis(500), never)
                .await
                .is_err()
        );
        let labels = |pod: &str| api.get(&path(pod)).unwrap()["metadata"]["labels"].clone();
        (labels("a-0"), labels("a-1"), api.asked())
    }

    #[tokio::test]
    async fn the_role_moves_when_the_old_primary_stops() {
        let (old, new, asked) = after_handover(|_| {}, 2).await;
        assert_eq!(old, json!({"team": "t"}));
        assert_eq!(new, json!({"spilo-role": "master", "team": "t"}));
        let order = ["a-1", "a-0"].map(|pod| format!("PATCH {}", path(pod)));
        assert_eq!(asked, order, "the service never has nobody");
    }

    #[tokio::test]
    async fn the_role_stays_while_the_old_primary_serves_and_where_patroni_leads_the_service_itself() {
        let (old, _, asked) = after_handover(|_| {}, usize::MAX).await;
        assert_eq!((old["spilo-role"].as_str(), asked), (Some("master"), Vec::new()));
        let endpoints = |config: &mut OperatorConfig| config.general.kubernetes_use_configmaps = false;
        assert_eq!(after_handover(endpoints, 0).await.2, [""; 0]);
    }
}
