//! The schema and the CEL rules of our CRD as the API server reads them, beside our own reading of them (`crd::check`), on every example of the
//! catalogue and on cases of the schema's own. By dry run; what is stored is one manifest, which no controller looks at.

use anyhow::{Context, Result, ensure};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Error};
use pgherd_model::config::{Form, OperatorConfig};
use pgherd_model::crd::{self, check::Schema};
use pgherd_model::default;
use pgherd_model::validate::{When, catalogue};
use serde_json::{Value, json};

use super::Test;
use super::stage::NAMESPACE;

pub(crate) const TESTS: &[Test] = &[
    ("the_api_server_reads_the_schema_as_we_do", |stage| {
        stage.with_client(new_objects)
    }),
    ("the_api_server_judges_changes_as_we_do", |stage| {
        stage.with_client(changes)
    }),
];

/// Overlays that the schema's keywords and rules decide about, of both sorts.
const CASES: &[&str] = &[
    "{}",
    "spec: {numberOfInstances: two}",
    "spec: {numberOfInstances: 1.0}",
    "spec: {numberOfInstances: 3000000000}",
    "spec: {masterNodePort: 3000000000}",
    "spec: {patroni: {ttl: 30.0}}",
    "spec: {patroni: {ttl: 30.5}}",
    "spec: {teamId: 7}",
    "spec: {volume: null}",
    "spec: {volume: {size: null}}",
    "spec: {volume: {size: 1K}}",
    "spec: {volume: {size: 1Ki}}",
    "spec: {volume: {size: '0'}}",
    "spec: {volume: {size: '1e3'}}",
    "spec: {volume: {size: 1e3Gi}}",
    "spec: {volume: {size: 0.5Gi}}",
    "spec: {volume: {size: 10}}",
    "spec: {volume: {iops: 80000}}",
    "spec: {volume: {iops: 80001}}",
    "spec: {resources: {requests: {cpu: 1, memory: 1Gi}}}",
    "spec: {resources: {requests: {cpu: '1.5', memory: 1K}}}",
    "spec: {resources: {limits: {cpu: 100m, memory: 500Mi, hugepages-2Mi: 128Mi, hugepages-1Gi: 1K}}}",
    "spec: {connectionPooler: {resources: {limits: {memory: 1K}}}}",
    "spec: {connectionPooler: {numberOfInstances: 0}}",
    "spec: {connectionPooler: {mode: statement}}",
    "spec: {clone: {cluster: a}, standby: {standby_host: b}}",
    "spec: {clone: {cluster: ''}, standby: {standby_host: b}}",
    "spec: {clone: {}}",
    "spec: {clone: {cluster: a, uid: efd12e58-5786-11e8-b5a7-06148230260c}}",
    "spec: {clone: {cluster: a, uid: EFD12E58578611E8B5A706148230260C}}",
    "spec: {clone: {cluster: a, uid: x}}",
    "spec: {clone: {cluster: a, timestamp: '2026-01-01T00:00:00Z'}}",
    "spec: {standby: {}}",
    "spec: {standby: {s3_wal_path: a, gs_wal_path: b}}",
    "spec: {standby: {s3_wal_path: a, standby_host: b}}",
    "spec: {sidecars: [{name: a}]}",
    "spec: {sidecars: [{name: a, image: ''}]}",
    "spec: {sidecars: [{image: a}]}",
    "spec: {sidecars: [{name: postgres, image: a}]}",
    "spec: {sidecars: null}",
    "spec: {initContainers: [{name: a}]}",
    "spec: {initContainers: [{name: postgres, image: a}]}",
    "spec: {env: [{name: '', value: a}]}",
    "spec: {env: [{name: A, value: 1}]}",
    "spec: {env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1}}}]}",
    "spec: {env: null}",
    "spec: {tolerations: [null]}",
    "spec: {users: {app: null}}",
    "spec: {users: {app: [Login]}}",
    "spec: {users: {app: LOGIN}}",
    "spec: {databases: {shop: null}}",
    "spec: {preparedDatabases: {shop: {schemas: {a: {defaultRoles: 'yes'}}}}}",
    "spec: {additionalVolumes: [{name: a, mountPath: '', volumeSource: {emptyDir: {}}}]}",
    "spec: {additionalVolumes: [{name: a, mountPath: /a, volumeSource: {}}]}",
    "spec: {additionalVolumes: [{name: a, mountPath: /a}]}",
    "spec: {allowedSourceRanges: [10.0.0.0]}",
    "spec: {maintenanceWindows: ['Sat:1:00-02:00']}",
    "spec: {maintenanceWindows: ['Sam:01:00-02:00']}",
    "spec: {logicalBackupSchedule: 0 0 * * MON}",
    "spec: {streams: [{applicationId: a, database: b, tables: {c: {}}}]}",
    "spec: {patroni: {ttl: -1}}",
    "spec: {livenessProbe: {httpGet: {path: /}}}",
    "spec: {nosuchfield: {at: all}}",
    "status: Running",
    "metadata: {name: 1schema}",
];

/// The least manifest with an overlay in YAML, as the catalogue's examples are meant. No controller looks at it.
fn manifest(overlay: &str) -> Result<Value> {
    let mut object = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": "it-schema", "namespace": NAMESPACE, "annotations": {"acid.zalan.do/controller": "nobody"}},
        "spec": {"teamId": "it", "numberOfInstances": 2, "postgresql": {"version": "17"}, "volume": {"size": "2Gi", "subPath": "data"}},
    });
    let overlay = serde_yaml::from_str(overlay).with_context(|| format!("cannot read {overlay}"))?;
    json_patch::merge(&mut object, &overlay);
    Ok(object)
}

fn clusters(client: kube::Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("acid.zalan.do", "v1", "postgresql");
    let resource = ApiResource::from_gvk_with_plural(&kind, "postgresqls");
    Api::namespaced_with(client, NAMESPACE, &resource)
}

/// The fields that the API server itself refuses; none of what a webhook says.
fn refused<T>(outcome: Result<T, Error>) -> Result<Vec<String>> {
    let status = match outcome {
        Ok(_) => return Ok(Vec::new()),
        Err(Error::Api(status)) => status,
        Err(error) => return Err(error).context("cannot ask the API server"),
    };
    if status.message.contains("admission webhook") {
        return Ok(Vec::new());
    }
    ensure!(status.code == 422, "an answer of another kind: {status:?}");
    let causes = status.details.map(|details| details.causes).unwrap_or_default();
    let fields: Vec<String> = causes.into_iter().map(|cause| cause.field).collect();
    ensure!(!fields.is_empty(), "no field is named: {}", status.message);
    Ok(fields)
}

/// The same verdict, and where it is a refusal, at least one field that both name: the API server stops at the first sort of mistakes.
fn compare(case: &str, theirs: &[String], ours: &[String], differences: &mut Vec<String>) {
    let is_same = |theirs: &String, ours: &String| {
        // What the scale subresource says begins with a dot.
        theirs.trim_start_matches('.') == ours || ours == "."
    };
    let meet = theirs
        .iter()
        .any(|theirs| ours.iter().any(|ours| is_same(theirs, ours)));
    if theirs.is_empty() != ours.is_empty() || (!ours.is_empty() && !meet) {
        differences.push(format!(
            "{case}: the API server refuses {theirs:?}, by our reading it is {ours:?}"
        ));
    }
}

/// What the mutating webhook fills in of the examples is the same under every configuration here: they have all of it.
fn by_our_reading(schema: &Schema, new: &Value, old: Option<&Value>) -> Vec<String> {
    let config = OperatorConfig::default_for(Form::ConfigMap);
    let found = schema.review(&default::complete(new, old, &config), old);
    found.into_iter().map(|violation| violation.path).collect()
}

async fn new_objects(client: kube::Client) -> Result<()> {
    let (clusters, schema) = (clusters(client), Schema::of(&crd::postgresql()));
    let rules = catalogue()
        .iter()
        .filter(|rule| rule.id.starts_with("PGV-") && rule.when != When::Deleted);
    let examples = rules.flat_map(|rule| [rule.accepts.manifest, rule.rejects.manifest]);
    let dry = PostParams {
        dry_run: true,
        field_manager: None,
    };
    let (mut differences, mut refusals, mut tried) = (Vec::new(), 0, 0);
    for case in CASES.iter().copied().chain(examples) {
        let object = manifest(case)?;
        let ours = by_our_reading(&schema, &object, None);
        let object: DynamicObject = serde_json::from_value(object)?;
        let theirs = refused(clusters.create(&dry, &object).await).with_context(|| case.to_owned())?;
        compare(case, &theirs, &ours, &mut differences);
        tried += 1;
        refusals += usize::from(!theirs.is_empty());
    }
    eprintln!("{tried} objects, {refusals} refused by the API server itself");
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    ensure!(refusals > 40, "only {refusals} of {tried} were refused");
    Ok(())
}

/// Changes of the stored manifest, of which the schema judges some.
const CHANGES: &[&str] = &[
    "spec: {numberOfInstances: 3}",
    "spec: {volume: {subPath: other}}",
    "spec: {volume: {subPath: null}}",
    "spec: {volume: {isSubPathExpr: true}}",
    "spec: {volume: {isSubPathExpr: false}}",
    "spec: {volume: {size: 1Gi}}",
    "spec: {volume: {size: 1K}}",
    "spec: {standby: {standby_host: a}, clone: {cluster: b}}",
    "spec: {users: {app: [Login]}}",
];

async fn changes(client: kube::Client) -> Result<()> {
    let (clusters, schema) = (clusters(client), Schema::of(&crd::postgresql()));
    let stored = manifest("{}")?;
    let params = PatchParams::apply("pgherd-schema-test").force();
    clusters
        .patch("it-schema", &params, &Patch::Apply(&stored))
        .await
        .context("cannot store the manifest")?;
    let dry = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let mut differences = Vec::new();
    let mut refusals = 0;
    for case in CHANGES {
        let overlay: Value = serde_yaml::from_str(case)?;
        let outcome = clusters.patch("it-schema", &dry, &Patch::Merge(&overlay)).await;
        let theirs = refused(outcome).with_context(|| (*case).to_owned())?;
        let ours = by_our_reading(&schema, &manifest(case)?, Some(&stored));
        compare(case, &theirs, &ours, &mut differences);
        refusals += usize::from(!theirs.is_empty());
    }
    clusters.delete("it-schema", &DeleteParams::default()).await?;
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    ensure!(refusals >= 6, "only {refusals} changes were refused");
    Ok(())
}
