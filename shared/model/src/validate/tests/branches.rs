//! What each rule about a topic finds, beyond its own two examples: overlay, operator parameters, and where rules are broken.  // table

use serde_json::json;

use super::{config_of, found, manifest};
use crate::validate::{Severity, review, rule};

type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
);

#[rustfmt::skip]
const CASES: &[Case] = &[
    // Poolers.
    ("{connectionPooler: {user: standby}}", &[], &[("PGV-061", "spec.connectionPooler.user")]),
    ("{connectionPooler: {user: admin}}", &[], &[("PGV-061", "spec.connectionPooler.user")]),
    ("{enableConnectionPooler: false, connectionPooler: {user: standby}}", &[], &[("PGV-064", "spec.connectionPooler")]),
    ("{enableConnectionPooler: true, users: {pooler: []}}", &[], &[("PGV-061", "spec.users.pooler")]),
    ("{enableConnectionPooler: true, users: {pooler: []}}", &[("connection_pooler_user", "gate")], &[]),
    ("{enableReplicaConnectionPooler: true, users: {gate: []}, databases: {shop: gate}, connectionPooler: {user: gate}}", &[],
        &[("PGV-061", "spec.databases.shop"), ("PGV-061", "spec.users.gate")]),
    ("{users: {fes_user: []}, databases: {d: fes_user}, streams: [{applicationId: a, database: d, tables: {t: {eventType: e}}}]}", &[], &[("PGV-061", "spec.users.fes_user")]),
    ("{connectionPooler: {user: 'a\"; DROP'}}", &[], &[("PGV-062", "spec.connectionPooler.user")]),
    ("{connectionPooler: {user: pg_gate, schema: information_schema}}", &[], &[("PGV-062", "spec.connectionPooler.schema"), ("PGV-062", "spec.connectionPooler.user")]),
    ("{connectionPooler: {numberOfInstances: 0}}", &[], &[("PGV-063", "spec.connectionPooler.numberOfInstances")]),
    ("{connectionPooler: {numberOfInstances: 1}}", &[], &[("PGV-064", "spec.connectionPooler.numberOfInstances")]),
    ("{connectionPooler: {numberOfInstances: 3, maxDBConnections: 5}}", &[], &[("PGV-064", "spec.connectionPooler.maxDBConnections")]),
    ("{connectionPooler: {numberOfInstances: 3, maxDBConnections: 6}}", &[], &[]),
    ("{connectionPooler: {schema: public}}", &[], &[("PGV-064", "spec.connectionPooler.schema")]),
    ("{numberOfInstances: 0, enableConnectionPooler: true}", &[], &[("PGV-064", "spec.numberOfInstances")]),
    ("{standby: {standby_host: a.example.org}, enableConnectionPooler: true}", &[], &[("PGV-064", "spec.connectionPooler")]),
    ("{connectionPooler: {resources: {requests: {cpu: much}}}}", &[], &[("PGV-019", "spec.connectionPooler.resources.requests.cpu")]),
    // Dumps.
    ("{enableLogicalBackup: true, logicalBackupRetention: soon}", &[("logical_backup_s3_bucket", "b")], &[("PGV-066", "spec.logicalBackupRetention")]),
    ("{enableLogicalBackup: true, logicalBackupRetention: 1 week}", &[("logical_backup_s3_bucket", "b"), ("logical_backup_provider", "gcs")], &[("PGV-066", "spec.logicalBackupRetention")]),
    ("{enableLogicalBackup: true}", &[("logical_backup_cronjob_environment_secret", "s")], &[]),
    ("{enableLogicalBackup: true}", &[("logical_backup_provider", "az"), ("logical_backup_s3_bucket", "b")], &[("PGV-066", "spec.enableLogicalBackup")]),
    ("{logicalBackupSchedule: 1 1 1 1 1}", &[], &[("PGV-066", "spec.logicalBackupSchedule")]),
    // Streams and slots.
    ("{users: {a: []}, databases: {d: a}, streams: [{applicationId: a, database: d, tables: {t: {eventType: e}}}, {applicationId: a, database: d, tables: {public.t: {eventType: f}}}]}", &[], &[("PGV-067", "spec.streams[1].tables.public.t")]),
    ("{users: {a: []}, databases: {d: a}, streams: [{applicationId: A b, database: d, tables: {a.b.c: {eventType: e}}, filter: {x: y}}]}", &[],
        &[("PGV-067", "spec.streams[0].applicationId"), ("PGV-067", "spec.streams[0].tables.a.b.c"), ("PGV-068", "spec.streams[0].filter.x")]),
    ("{streams: [{}]}", &[], &[("PGV-067", "spec.streams[0].applicationId"), ("PGV-067", "spec.streams[0].database"), ("PGV-067", "spec.streams[0].tables")]),
    ("{clone: {cluster: b}, streams: [{applicationId: a, database: d, tables: {t: {eventType: e}}}]}", &[], &[]),
    ("{patroni: {slots: {A-b: {type: both}}}}", &[], &[("PGV-070", "spec.patroni.slots.A-b"), ("PGV-070", "spec.patroni.slots.A-b.type")]),
    ("{patroni: {slots: {a: null, fes_a: {type: physical}, acid_test_x: {type: physical}}}}", &[], &[("PGV-071", "spec.patroni.slots.fes_a")]),
    ("{patroni: {slots: {a: {type: logical, database: d, plugin: pgoutput}}}, postgresql: {parameters: {wal_level: logical}}}", &[], &[("PGV-071", "spec.patroni.slots.a.database")]),
    // Patroni.
    ("{patroni: {ttl: 20}}", &[], &[("PGV-045", "spec.patroni.ttl")]),
    ("{patroni: {ttl: 19, loop_wait: 1, retry_timeout: 2}}", &[], &[("PGV-072", "spec.patroni.retry_timeout"), ("PGV-072", "spec.patroni.ttl")]),
    ("{patroni: {maximum_lag_on_failover: -1, synchronous_node_count: 1}}", &[], &[("PGV-072", "spec.patroni.maximum_lag_on_failover"), ("PGV-072", "spec.patroni.synchronous_node_count")]),
    ("{enableConnectionPooler: true, patroni: {pg_hba: [local all all trust, host all postgres all md5, host replication all all md5]}}", &[], &[("PGV-044", "spec.patroni.pg_hba")]),
    ("{enableConnectionPooler: true, patroni: {pg_hba: [local all all trust, 'host all postgres,pooler all md5', host replication all all md5]}}", &[], &[]),
    // Windows.
    ("{maintenanceWindows: ['01:00-05:00', 'Sat:04:00-08:00']}", &[], &[("PGV-077", "spec.maintenanceWindows[1]")]),
    ("{maintenanceWindows: ['Fri:01:00-05:00', 'Sat:04:00-08:00']}", &[], &[]),
    ("{maintenanceWindows: ['Sat:01:00-01:20']}", &[("resync_period", "5m")], &[]),
    ("{maintenanceWindows: ['Sat:01:00-04:20']}", &[("enable_maintenance_windows", "false")], &[("PGV-077", "spec.maintenanceWindows")]),
    // Roles and databases.
    ("{users: {my_ns.app: []}}", &[("enable_cross_namespace_secret", "true")], &[("PGV-078", "spec.users.my_ns.app")]),
    ("{preparedDatabases: {d: {secretNamespace: A}}}", &[("enable_cross_namespace_secret", "true")], &[("PGV-078", "spec.preparedDatabases.d.secretNamespace")]),
    ("{users: {pg_reader: []}}", &[], &[("PGV-030", "spec.users.pg_reader")]),
    ("{usersWithSecretRotation: [postgres]}", &[], &[("PGV-026", "spec.usersWithSecretRotation[0]")]),
    ("{usersIgnoringSecretRotation: [postgres]}", &[], &[]),
    ("{users: {a: []}, databases: {postgres: a, template1: a}}", &[], &[("PGV-099", "spec.databases.postgres"), ("PGV-099", "spec.databases.template1")]),
    ("{preparedDatabases: {d: {extensions: {hstore: data, '': data, x: y}}}}", &[], &[("PGV-099", "spec.preparedDatabases.d.extensions."), ("PGV-099", "spec.preparedDatabases.d.extensions.x")]),
    ("{preparedDatabases: {d: {schemas: {s: {defaultRoles: false, defaultUsers: true}}}}}", &[], &[("PGV-099", "spec.preparedDatabases.d.schemas.s.defaultUsers")]),
    // Annotations and names.
    ("{serviceAnnotations: {a/b/c: d}, masterServiceAnnotations: {Example.org/A: x}}", &[], &[("PGV-080", "spec.serviceAnnotations.a/b/c")]),
    ("{enableMasterLoadBalancer: true, allowedSourceRanges: [10.0.0.0/8], serviceAnnotations: {external-dns.alpha.kubernetes.io/hostname: a}}", &[], &[("PGV-081", "spec.serviceAnnotations.external-dns.alpha.kubernetes.io/hostname")]),
    ("{enableMasterLoadBalancer: false, serviceAnnotations: {external-dns.alpha.kubernetes.io/hostname: a}}", &[], &[]),
    ("{podAnnotations: {iam.amazonaws.com/role: a}}", &[("kube_iam_role", "r")], &[("PGV-081", "spec.podAnnotations.iam.amazonaws.com/role")]),
    ("{enableLogicalBackup: true}", &[("logical_backup_s3_bucket", "b"), ("logical_backup_job_prefix", "a-prefix-that-is-as-long-as-anybody-could-wish-")], &[("PGV-084", "metadata.name")]),
    ("{enableMasterLoadBalancer: true, allowedSourceRanges: [10.0.0.0/8]}", &[("master_dns_name_format", "a-name-with-a-part-that-is-longer-than-names-in-dns-may-be-{cluster}.{hostedzone}")], &[("PGV-084", "metadata.name")]),
    // Containers and variables.
    ("{sidecars: [{name: A, image: a}]}", &[], &[("PGV-085", "spec.sidecars[0].name")]),
    ("{sidecars: [{image: a, ports: [{name: a, containerPort: 1}, {name: a, containerPort: 2}]}]}", &[], &[("PGV-085", "spec.sidecars[0].ports[1].name")]),
    ("{initContainers: [{name: a, image: a, volumeMounts: [{name: data, mountPath: /a}, {name: pgdata, mountPath: /b}]}]}", &[], &[("PGV-085", "spec.initContainers[0].volumeMounts[0].name")]),
    ("{sidecars: [{image: a, volumeMounts: [{name: data, mountPath: /a}, {name: pgdata, mountPath: /b}]}]}", &[], &[("PGV-059", "spec.sidecars[0].volumeMounts[0].name")]),
    ("{livenessProbe: {periodSeconds: 3}, spiloFSGroup: -1}", &[], &[("PGV-085", "spec.livenessProbe"), ("PGV-085", "spec.spiloFSGroup")]),
    ("{sidecars: [{image: a, ports: [{containerPort: 8008}]}]}", &[], &[("PGV-086", "spec.sidecars[0].ports[0].containerPort")]),
    ("{sidecars: [{image: a, env: [{name: '', value: x}, {name: a=b}]}]}", &[], &[("PGV-060", "spec.sidecars[0].env[0].name"), ("PGV-060", "spec.sidecars[0].env[1].name")]),
    ("{env: [{name: A, valueFrom: {}}], envFrom: [{}, {secretRef: {name: a}, configMapRef: {name: b}}]}", &[], &[("PGV-087", "spec.env[0]"), ("PGV-087", "spec.envFrom[0]"), ("PGV-087", "spec.envFrom[1]")]),
    ("{env: [{name: A_TOKEN_FILE, value: x}, {name: my_password, value: x}, {name: API_KEY, value: ''}]}", &[], &[("PGV-088", "spec.env[1]")]),
    ("{spiloFSGroup: 1, tls: {secretName: s, caSecretName: c}}", &[], &[("PGV-069", "spec.tls.caSecretName")]),
    ("{tls: {secretName: '', certificateFile: tls.crt, privateKeyFile: tls.key}}", &[], &[]),
    // Volumes.
    ("{additionalVolumes: [{name: A, mountPath: /a, volumeSource: {emptyDir: {}}}]}", &[], &[("PGV-089", "spec.additionalVolumes[0].name")]),
    ("{additionalVolumes: [{name: a, mountPath: /dev/shm/, volumeSource: {emptyDir: {}}}]}", &[], &[("PGV-089", "spec.additionalVolumes[0].mountPath")]),
    ("{additionalVolumes: [{name: a, mountPath: /dev/shm, volumeSource: {emptyDir: {}}}]}", &[("enable_shm_volume", "false")], &[]),
    ("{additionalVolumes: [{name: a, mountPath: 'c:/a', subPath: ../b, volumeSource: {emptyDir: {}}}], volume: {subPath: /a}}", &[], &[("PGV-089", "spec.additionalVolumes[0].mountPath"), ("PGV-089", "spec.additionalVolumes[0].subPath"), ("PGV-089", "spec.volume.subPath")]),
    ("{spiloFSGroup: 1, tls: {secretName: s}, additionalVolumes: [{name: s, mountPath: /tls, volumeSource: {emptyDir: {}}}]}", &[], &[("PGV-089", "spec.additionalVolumes[0].mountPath"), ("PGV-089", "spec.additionalVolumes[0].name")]),
    ("{additionalVolumes: [{name: a, mountPath: /home/postgres/pgdata/a, volumeSource: {emptyDir: {}}}, {name: b, mountPath: /dev, volumeSource: {emptyDir: {}}}]}", &[], &[("PGV-086", "spec.additionalVolumes[0].mountPath"), ("PGV-086", "spec.additionalVolumes[1].mountPath")]),
    // Scheduling.
    ("{tolerations: [{}, {key: a b}, {operator: Exists}, {key: a, operator: Is}, {key: a, effect: None}, {key: a, tolerationSeconds: 3}]}", &[],
        &[("PGV-091", "spec.tolerations[0].operator"), ("PGV-091", "spec.tolerations[1].key"), ("PGV-091", "spec.tolerations[3].operator"), ("PGV-091", "spec.tolerations[4].effect"), ("PGV-091", "spec.tolerations[5].effect")]),
    ("{nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}, preferredDuringSchedulingIgnoredDuringExecution: [{weight: 0, preference: {matchExpressions: [{key: a, operator: In}]}}]}}", &[],
        &[("PGV-091", "spec.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0]"), ("PGV-091", "spec.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight"), ("PGV-091", "spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms")]),
    ("{nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Gt, values: ['3']}, {key: a, operator: Lt, values: [b]}, {key: a, operator: Exists, values: [b]}, {key: a, operator: Has}]}]}}}", &[],
        &[("PGV-091", "spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1]"), ("PGV-091", "spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[2]"), ("PGV-091", "spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[3]")]),
    ("{topologySpreadConstraints: [{maxSkew: 0, topologyKey: a, whenUnsatisfiable: Never, minDomains: 1, labelSelector: {}}, {maxSkew: 1, topologyKey: a, whenUnsatisfiable: Never, labelSelector: {matchExpressions: [{key: a, operator: In}]}}]}", &[],
        &[("PGV-091", "spec.topologySpreadConstraints[0].maxSkew"), ("PGV-091", "spec.topologySpreadConstraints[0].minDomains"), ("PGV-091", "spec.topologySpreadConstraints[0].whenUnsatisfiable"),
          ("PGV-091", "spec.topologySpreadConstraints[1]"), ("PGV-091", "spec.topologySpreadConstraints[1].labelSelector.matchExpressions[0]"), ("PGV-091", "spec.topologySpreadConstraints[1].whenUnsatisfiable")]),
    ("{podPriorityClassName: High!, schedulerName: my-scheduler}", &[], &[("PGV-091", "spec.podPriorityClassName")]),
    // Huge pages.
    ("{resources: {requests: {memory: 1Gi}, limits: {hugepages-2Mi: 3Mi}}}", &[], &[("PGV-093", "spec.resources.limits.hugepages-2Mi")]),
    ("{resources: {requests: {memory: 1Gi, hugepages-1Gi: 1Gi}}}", &[], &[("PGV-093", "spec.resources.requests.hugepages-1Gi")]),
    ("{resources: {limits: {hugepages-2Mi: 2Mi}}}", &[], &[("PGV-093", "spec.resources.limits.hugepages-2Mi")]),
    ("{connectionPooler: {resources: {requests: {cpu: 1, hugepages-2Mi: 2Mi}, limits: {hugepages-2Mi: 4Mi}}}}", &[], &[("PGV-001", "spec.connectionPooler.resources.requests.cpu")]),
    ("{connectionPooler: {resources: {requests: {cpu: '1', hugepages-2Mi: 2Mi}, limits: {hugepages-2Mi: 4Mi}}}}", &[], &[("PGV-093", "spec.connectionPooler.resources.requests.hugepages-2Mi")]),
    // Clones and standbys.
    ("{clone: {cluster: a, uid: b, s3_secret_access_key: k}}", &[], &[("PGV-088", "spec.clone.s3_secret_access_key"), ("PGV-095", "spec.clone.s3_access_key_id"), ("PGV-095", "spec.clone.uid")]),
    ("{clone: {cluster: acid-test, uid: 2b1f0e0c-5d3a-4f7a-9d53-0a1b2c3d4e5f, timestamp: '2026-02-03T04:05:06+00:00'}}", &[], &[]),
    ("{standby: {standby_host: acid-test-repl.test.svc.cluster.local}}", &[], &[("PGV-094", "spec.standby.standby_host")]),
    ("{standby: {standby_host: acid-test.other, standby_port: '5432,5433'}}", &[], &[]),
    ("{standby: {standby_host: 'a b', standby_port: x, standby_primary_slot_name: A}}", &[], &[("PGV-094", "spec.standby.standby_host"), ("PGV-094", "spec.standby.standby_port"), ("PGV-094", "spec.standby.standby_primary_slot_name")]),
    // Services.
    ("{enableMasterLoadBalancer: true, allowedSourceRanges: [10.1.0.0/8, '::/0']}", &[], &[("PGV-098", "spec.allowedSourceRanges[0]"), ("PGV-098", "spec.allowedSourceRanges[1]")]),
    ("{enableMasterLoadBalancer: false, allowedSourceRanges: [10.0.0.0/8]}", &[], &[("PGV-098", "spec.allowedSourceRanges")]),
    ("{enableMasterLoadBalancer: true, enableMasterNodePort: true}", &[], &[("PGV-048", "spec.enableMasterLoadBalancer")]),
];

#[test]
fn each_branch_is_found_and_nothing_else() {
    let mut wrong = Vec::new();
    for (overlay, parameters, expected) in CASES {
        let new = manifest(&format!("spec: {overlay}"));
        let mut parameters = parameters.to_vec();
        parameters.push(("enable_teams_api", "false"));
        let mut found: Vec<_> = super::found(&new, None, &config_of(&parameters))
            .into_iter()
            .map(|(rule, hit)| (rule.id, hit.path))
            .collect();
        found.sort();
        let found: Vec<_> = found.iter().map(|(rule, path)| (*rule, path.as_str())).collect();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        if found != expected {
            wrong.push(format!("{overlay}\n  found {found:?}\n  not   {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_leaves_a_manifest_is_named() {
    let stored = manifest(
        "spec: {users: {a: [], b: []}, databases: {d: a}, preparedDatabases: {p: {defaultUsers: true, schemas: {s: {}, t: {}}, extensions: {e: s}}, q: {}}}",
    );
    let new = manifest("spec: {users: {a: []}, preparedDatabases: {p: {schemas: {s: {}}}}}");
    let warnings = review(&new, Some(&stored), &config_of(&[])).warnings;
    let named: Vec<_> = warnings
        .iter()
        .filter(|warning| warning.ends_with("(PGV-096)"))
        .map(|warning| warning.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        named,
        [
            "spec.databases.d",
            "spec.preparedDatabases.p.defaultUsers",
            "spec.preparedDatabases.p.extensions.e",
            "spec.preparedDatabases.p.schemas.t",
            "spec.preparedDatabases.q",
            "spec.users.b",
        ]
    );
}

#[test]
fn strict_clusters_may_be_stopped_and_grown() {
    let strict = |instances: i32| {
        let mut object = manifest(
            "spec: {patroni: {synchronous_mode: true, synchronous_mode_strict: true, synchronous_node_count: 2}}",
        );
        object["spec"]["numberOfInstances"] = json!(instances);
        object
    };
    let broken = |from: i32, to: i32| {
        found(&strict(to), Some(&strict(from)), &config_of(&[]))
            .iter()
            .any(|(rule, _)| rule.id == "PGV-097")
    };
    assert!(broken(3, 2) && broken(3, 1));
    assert!(!broken(3, 0) && !broken(1, 2) && !broken(4, 3) && !broken(2, 2));
}

#[test]
fn nothing_softens_what_reaches_beyond_the_cluster() {
    for id in ["PGV-062", "PGV-078"] {
        let rule = rule(id).unwrap();
        assert!(rule.fixed && rule.severity == Severity::Deny, "{id}");
    }
}

#[test]
fn values_of_variables_are_never_told() {
    for env in [
        "[{name: PASSWORD, value: hunter2}]",
        "[{name: '', value: hunter2}]",
        "[{name: A, value: hunter2, valueFrom: {}}]",
        "[{name: A, value: [hunter2]}]",
        "[{name: SCOPE, value: hunter2}, {name: scope, value: hunter2}]",
    ] {
        let new = manifest(&format!(
            "spec: {{env: {env}, sidecars: [{{image: a, env: {env}}}], initContainers: [{{name: b, image: b, env: {env}}}]}}"
        ));
        let review = review(&new, None, &config_of(&[]));
        assert_ne!(review, crate::validate::Review::default(), "{env}");
        assert!(!format!("{review:?}").contains("hunter2"), "{review:?}");
    }
}
