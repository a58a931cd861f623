//! A manifest as the controller takes it: whether it is there, and what it means. Pure but for the cache. Must
//! not: validate (model).

use jiff::Timestamp;
use pgherd_model::api::postgresql::Postgresql;
use pgherd_model::api::{self, status::PostgresqlStatus};
use pgherd_model::cluster::{Cluster, RoleSources, rules};
use pgherd_model::config::OperatorConfig;
use pgherd_model::finding::Violation;
use pgherd_planner::assess::{self, last_good};
use pgherd_planner::observed::ClusterView;
use pgherd_planner::plan::{catalog_unwanted, spec_inputs};
use serde_json::Value;

use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::departure::{self, Departure, KIND_REMOVED};
use crate::error::TurnError;
use crate::sql::catalog::Inside;

/// A cluster as it is stored, or was.
#[derive(Debug)]
pub struct Found {
    pub manifest: Value,
    pub view: ClusterView,
    /// It is being deleted, or is gone.
    pub going: bool,
    /// It is gone, without having been held by a finalizer.
    pub gone: bool,
    /// Why what belongs to it stays, although it is being deleted or is gone.
    pub spared: Option<&'static str>,
}

impl Found {
    /// None for a cluster that was never heard of, or whose end is over. One that is gone is dealt with before its successor of the same
    /// name.
    pub async fn look(
        context: &Context,
        cluster: &ClusterRef,
        now: Timestamp,
    ) -> Result<Option<Self>, TurnError> {
        let manifests = &context.cache.manifests;
        if let Some(last) = manifests.departed(cluster) {
            let manifest = last.value();
            let departure = departure::of_absent(context, cluster, &manifest).await?;
            if departure != Departure::None {
                return Ok(Some(Self {
                    view: departed(view_of(&manifest), last.departed().unwrap_or(now)),
                    manifest,
                    going: true,
                    gone: true,
                    spared: spared(departure),
                }));
            }
            manifests.return_from_departure(cluster);
        }
        let Some(known) = manifests.get(cluster) else {
            return Ok(None);
        };
        let manifest = known.value();
        let view = view_of(&manifest);
        let going = view.deletion_timestamp.is_some();
        let departure = if going {
            departure::of_going(context, &manifest).await?
        } else {
            Departure::None
        };
        Ok(Some(Self {
            manifest,
            view,
            going,
            gone: false,
            spared: spared(departure),
        }))
    }
}

fn spared(departure: Departure) -> Option<&'static str> {
    (departure == Departure::WithItsKind).then_some(KIND_REMOVED)
}

/// What the manifest says, or what is in force because it says nothing sensible.
#[derive(Debug)]
pub enum Meaning {
    Valid {
        raw: Box<Postgresql>,
        cluster: Box<Cluster>,
    },
    Invalid {
        violations: Vec<Violation>,
        in_force: Option<Box<Cluster>>,
    },
}

impl Meaning {
    pub fn of(manifest: &Value, status: &PostgresqlStatus, config: &OperatorConfig) -> Self {
        let raw = match api::decode::<Postgresql>(manifest) {
            Ok(raw) => raw,
            Err(error) => {
                let violations = vec![Violation::new(rules::TYPE, error.path, error.message)];
                return Self::Invalid {
                    violations,
                    in_force: last_good_of(manifest, None, status, config),
                };
            }
        };
        match Cluster::parse(&raw, config) {
            Ok(cluster) => Self::Valid {
                raw: Box::new(raw),
                cluster: Box::new(cluster),
            },
            Err(violations) => {
                let in_force = last_good_of(manifest, Some(&raw), status, config);
                Self::Invalid { violations, in_force }
            }
        }
    }

    /// With the roles that others define.
    #[must_use]
    pub fn with_roles_of(self, sources: &RoleSources, config: &OperatorConfig) -> Self {
        let complete = |cluster: Box<Cluster>| Box::new(cluster.with_roles_of(sources, config));
        match self {
            Self::Valid { raw, cluster } => Self::Valid {
                raw,
                cluster: complete(cluster),
            },
            Self::Invalid { violations, in_force } => Self::Invalid {
                violations,
                in_force: in_force.map(complete),
            },
        }
    }

    /// The cluster in force.
    pub fn cluster(&self) -> Option<&Cluster> {
        match self {
            Self::Valid { cluster, .. } => Some(cluster),
            Self::Invalid { in_force, .. } => in_force.as_deref(),
        }
    }

    /// What the spec that was last looked at would mean now.
    pub fn before(
        &self,
        manifest: &Value,
        status: &PostgresqlStatus,
        config: &OperatorConfig,
    ) -> Option<Box<Cluster>> {
        match self {
            Self::Valid { raw, .. } => last_good_of(manifest, Some(raw), status, config),
            Self::Invalid { .. } => None,
        }
    }

    /// For the status.
    pub fn judged(&self) -> assess::Manifest<'_> {
        match self {
            Self::Valid { raw, cluster } => assess::Manifest::Valid {
                cluster,
                spec: &raw.spec,
            },
            Self::Invalid { violations, in_force } => assess::Manifest::Invalid {
                violations,
                in_force: in_force.as_deref(),
            },
        }
    }

    /// For events: what is wrong, or what is ignored.
    pub fn remarks(&self) -> Vec<(String, String)> {
        match self {
            Self::Valid { cluster, .. } => cluster
                .findings
                .iter()
                .map(|finding| (finding.reason.clone(), finding.to_string()))
                .collect(),
            Self::Invalid { violations, .. } => violations
                .iter()
                .map(|violation| ("Invalid".to_owned(), violation.to_string()))
                .collect(),
        }
    }

    /// Databases whose inside is provisioned.
    pub fn inside(&self) -> Inside {
        self.cluster().map(Inside::of).unwrap_or_default()
    }

    /// Why its database is not asked, if so.
    pub fn catalog_unwanted(&self, config: &OperatorConfig) -> Option<&'static str> {
        match self.cluster() {
            None => Some("the manifest is not valid"),
            Some(cluster) => catalog_unwanted(cluster, config),
        }
    }
}

/// The last spec that was valid, under the present metadata.
fn last_good_of(
    manifest: &Value,
    present: Option<&Postgresql>,
    status: &PostgresqlStatus,
    config: &OperatorConfig,
) -> Option<Box<Cluster>> {
    let remembered = status.last_good_spec.as_deref()?;
    let spec = match present {
        Some(present) => last_good::recall(remembered, &present.spec),
        None => remembered.clone(),
    };
    let metadata = serde_json::from_value(manifest["metadata"].clone()).ok()?;
    let raw = Postgresql {
        metadata,
        ..Postgresql::new("", spec)
    };
    Cluster::parse(&raw, config).ok().map(Box::new)
}

/// The manifest's own metadata and status. Never fails: what cannot be read is absent.
fn view_of(manifest: &Value) -> ClusterView {
    let metadata = &manifest["metadata"];
    let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
    let strings = |value: &Value| serde_json::from_value(value.clone()).unwrap_or_default();
    ClusterView {
        namespace: text("namespace"),
        name: text("name"),
        uid: text("uid"),
        resource_version: text("resourceVersion"),
        generation: metadata["generation"].as_i64().unwrap_or_default(),
        created: metadata["creationTimestamp"].as_str().map(str::to_owned),
        deletion_timestamp: metadata["deletionTimestamp"].as_str().map(str::to_owned),
        finalizers: strings(&metadata["finalizers"]),
        annotations: serde_json::from_value(metadata["annotations"].clone()).unwrap_or_default(),
        inputs: spec_inputs(&manifest["spec"]),
        status: serde_json::from_value(manifest["status"].clone()).unwrap_or_default(),
    }
}

/// An object that is gone without a deletion timestamp (it had no finalizer) is being deleted since it went.
fn departed(mut view: ClusterView, since: Timestamp) -> ClusterView {
    view.deletion_timestamp.get_or_insert_with(|| since.to_string());
    view.finalizers.clear();
    view
}

#[cfg(test)]
mod tests {
    use pgherd_model::api::status::ClusterStatus;
    use pgherd_model::config::Form;
    use serde_json::json;

    use super::*;

    fn meaning(spec: &Value, last_good: Option<Value>) -> Meaning {
        let manifest = json!({
            "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
            "metadata": {"name": "acid-demo", "namespace": "n", "uid": "u"}, "spec": spec,
        });
        let mut status = json!({"PostgresClusterStatus": "Running"});
        if let Some(spec) = last_good {
            status["lastGoodSpec"] = spec;
        }
        let status = serde_json::from_value(status).unwrap();
        Meaning::of(&manifest, &status, &OperatorConfig::default_for(Form::ConfigMap))
    }

    fn good() -> Value {
        json!({"teamId": "acid", "numberOfInstances": 2, "postgresql": {"version": "17"}, "volume": {"size": "1Gi"}})
    }

    #[test]
    fn an_invalid_edit_leaves_the_last_good_spec_in_force() {
        let mut bad = good();
        bad["volume"]["size"] = json!("much");
        let meaning = meaning(&bad, Some(good()));
        assert!(
            matches!(&meaning, Meaning::Invalid { violations, .. } if violations[0].path == "spec.volume.size")
        );
        assert_eq!(meaning.cluster().map(|cluster| cluster.instances), Some(2));
        assert_eq!(
            meaning.cluster().map(|cluster| cluster.identity.name.as_str()),
            Some("acid-demo")
        );
    }

    #[test]
    fn a_wrong_type_is_a_violation_with_its_path_and_without_a_last_good_nothing_is_in_force() {
        let mut bad = good();
        bad["numberOfInstances"] = json!("two");
        let meaning = meaning(&bad, None);
        assert!(meaning.cluster().is_none());
        let remarks = meaning.remarks();
        assert!(
            remarks[0].1.starts_with("spec.numberOfInstances: "),
            "{remarks:?}"
        );
    }

    #[test]
    fn metadata_and_status_are_read_whatever_the_spec_is() {
        let manifest = json!({
            "metadata": {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7", "generation": 3,
                "finalizers": ["f"], "annotations": {"k": "v"}},
            "spec": "rubbish", "status": "Running",
        });
        let view = view_of(&manifest);
        assert_eq!(
            (view.generation, view.finalizers.as_slice()),
            (3, ["f".to_owned()].as_slice())
        );
        assert_eq!(view.annotations["k"], "v");
        assert_eq!(view.status.postgres_cluster_status, ClusterStatus::Running);
        assert_eq!(view.deletion_timestamp, None);
    }

    #[test]
    fn what_left_without_a_finalizer_is_being_deleted() {
        let view = departed(
            view_of(&json!({"metadata": {"name": "a"}})),
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(view.deletion_timestamp.as_deref(), Some("1970-01-01T00:00:00Z"));
    }
}
