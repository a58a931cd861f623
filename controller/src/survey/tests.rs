use pgherd_model::config::Form;
use pgherd_planner::plan::Action;
use serde_json::json;

use super::*;
use crate::testing::{FakeApi, manifest};

/// An API server with the cluster's manifest, and nothing else in its namespace.
fn api() -> FakeApi {
    let api = FakeApi::default();
    let context = api.context();
    api.submit(&context, &manifest());
    let none = |kind: &str, version: &str| json!({"kind": format!("{kind}List"), "apiVersion": version, "items": []});
    let kinds = Watched::ALL.map(Watched::resource);
    for resource in &kinds {
        let path = Api::<Whole>::namespaced_with(api.client(), "apps", resource)
            .resource_url()
            .to_owned();
        api.put(&path, none(&resource.kind, &resource.api_version));
    }
    api.put("/api/v1/namespaces/apps/pods", none("Pod", "v1"));
    api
}

fn config() -> OperatorConfig {
    let mut config = OperatorConfig::default_for(Form::ConfigMap);
    config.teams_api.enable_teams_api = false;
    config.teams_api.enable_postgres_team_crd = true;
    config.kubernetes.watched_namespace = Some("*".to_owned());
    config.kubernetes.infrastructure_roles_secret_name = Some(NamespacedName {
        namespace: "ops".to_owned(),
        name: "robots".to_owned(),
    });
    config
}

async fn sight(api: &FakeApi) -> Sight {
    let survey = Survey::new(api.client(), Arc::new(config()), Way::Never);
    let cluster = ClusterRef::new("apps", "acid-demo");
    survey.look(&cluster, None).await.unwrap().unwrap()
}

fn roles(sight: &Sight) -> Vec<&str> {
    let cluster = sight.meaning.cluster().unwrap();
    cluster.roles.iter().map(|role| role.name.as_str()).collect()
}

/// As the controller does: a plan without them would lack their roles, and would show what they overrule.
#[tokio::test]
async fn roles_that_others_define_are_looked_up() {
    let api = api();
    // `robot` and `pw`, in base64.
    let robots = json!({"metadata": {"name": "robots", "namespace": "ops"},
        "data": {"user1": "cm9ib3Q=", "password1": "cHc="}});
    api.put("/api/v1/namespaces/ops/secrets/robots", robots);
    let team = json!({"apiVersion": "acid.zalan.do/v1", "kind": "PostgresTeam",
        "metadata": {"name": "t", "namespace": "people"}, "spec": {"additionalMembers": {"acid": ["anna"]}}});
    let teams = json!({"apiVersion": "acid.zalan.do/v1", "kind": "PostgresTeamList", "items": [team]});
    api.put("/apis/acid.zalan.do/v1/postgresteams", teams);
    let sight = sight(&api).await;
    let roles = roles(&sight);
    assert!(roles.contains(&"robot") && roles.contains(&"anna"), "{roles:?}");
    let makes = |name: &str| {
        let mut steps = sight.plan.steps.iter();
        steps.any(|step| matches!(&step.action, Action::CreateSecret(draft) if draft.username == name))
    };
    assert!(makes("robot") && !makes("anna"));
    let team = &sight.meaning.cluster().unwrap().identity.team;
    assert_eq!(sight.observed.role_sources.gaps(team, &config()), []);
}

#[tokio::test]
async fn who_cannot_be_asked_is_named() {
    let api = api();
    let sight = sight(&api).await;
    let team = &sight.meaning.cluster().unwrap().identity.team;
    let gaps = sight.observed.role_sources.gaps(team, &config());
    let of = |index: usize| format!("{} {}", gaps[index].0, gaps[index].1);
    assert_eq!(gaps.len(), 2, "{gaps:?}");
    assert!(of(0).contains("ops/robots is not there"), "{gaps:?}");
    assert!(of(1).starts_with("PostgresTeam objects "), "{gaps:?}");
}
