//! Two replicas with mounted files that change at different times, as the kubelet changes them: what the API server trusts verifies what each
//! of them serves.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Mutex;

use futures::{StreamExt, stream};
use pgherd_runtime::readiness::Readiness;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::authority::Authority;
use crate::files::CertificateFiles;
use crate::leaf::service_names;
use crate::world::{SharedWorld, World, base64, client, verifies};

const LIFE: Duration = Duration::from_hours(24);

/// What a cert-manager would write.
struct Issued {
    authority: Authority,
    certificate: String,
    key: String,
}

fn issue(now: Timestamp, names: &[String]) -> Issued {
    let authority = Authority::make(now, LIFE).unwrap();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    let end = now.checked_add(LIFE / 2).unwrap();
    (params.not_before, params.not_after) = crate::authority::validity(now, end).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params
        .signed_by(&key, &authority.issuer().unwrap())
        .unwrap()
        .pem();
    Issued {
        authority,
        certificate,
        key: key.serialize_pem(),
    }
}

/// Writes as the kubelet does: a new folder, and `..data` swapped to it in one step.
fn mount(volume: &Path, generation: u32, issued: &Issued) {
    let folder = format!("..{generation}");
    fs::create_dir(volume.join(&folder)).unwrap();
    let write = |name: &str, text: &str| fs::write(volume.join(&folder).join(name), text).unwrap();
    write("tls.crt", &issued.certificate);
    write("tls.key", &issued.key);
    write("ca.crt", &issued.authority.certificate().to_pem());
    symlink(&folder, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        if generation == 1 {
            symlink(format!("..data/{name}"), volume.join(name)).unwrap();
        }
    }
}

struct Replica {
    volume: TempDir,
    serving: Arc<Serving>,
    readiness: Readiness,
    _task: JoinHandle<()>,
}

fn names() -> Vec<String> {
    service_names("pgherd-webhook", "ops")
}

impl Replica {
    fn start(world: &SharedWorld, issued: &Issued) -> Self {
        let volume = tempfile::tempdir().unwrap();
        mount(volume.path(), 1, issued);
        let files = CertificateFiles {
            certificate: Some(volume.path().join("tls.crt")),
            key: Some(volume.path().join("tls.key")),
            authorities: Some(volume.path().join("ca.crt")),
        };
        let settings = Settings {
            paths: files.paths().unwrap(),
            name: names()[0].clone(),
            configurations: vec![
                (Kind::Mutating, "pgherd".to_owned()),
                (Kind::Validating, "pgherd".to_owned()),
            ],
        };
        let (serving, readiness) = (Serving::new(), Readiness::new());
        let gate = readiness.gate("certificate", "none yet");
        let clock = Arc::clone(world);
        let now = move || clock.lock().unwrap().now();
        let client = client(world, Arc::default());
        let metrics = CertMetrics::default();
        let mut follower = Follower::new(&client, &settings, Arc::clone(&serving), gate, metrics, now());
        let task = tokio::spawn(async move {
            follower.run(&mut stream::pending().boxed(), now).await;
        });
        Self {
            volume,
            serving,
            readiness,
            _task: task,
        }
    }

    fn serves(&self, issued: &Issued) -> bool {
        let served = self.serving.leaf().unwrap();
        Certificate::all_from_pem(issued.certificate.as_bytes()).unwrap()[0] == *served.certificate()
    }
}

/// So many seconds, checked four times each.
async fn live(world: &SharedWorld, replicas: &[Replica], seconds: u64) {
    for _ in 0..seconds * 4 {
        sleep(Duration::from_millis(250)).await;
        let world = world.lock().unwrap();
        for replica in replicas
            .iter()
            .filter(|replica| replica.readiness.closed().is_empty())
        {
            let leaf = replica.serving.leaf().unwrap();
            for bundle in world.trusted_bundles() {
                assert!(
                    verifies(&leaf, &bundle, world.now()),
                    "{leaf:?} is not trusted after {:?}\n{}",
                    world.start.elapsed(),
                    world.log.join("\n")
                );
            }
        }
    }
}

fn trusted(world: &SharedWorld) -> Vec<Certificate> {
    let world = world.lock().unwrap();
    let bundle = world.configurations[0]["webhooks"][0]["clientConfig"]["caBundle"].clone();
    Certificate::all_from_pem(&base64(bundle.as_str().unwrap())).unwrap()
}

fn world() -> SharedWorld {
    Arc::new(Mutex::new(World::new()))
}

#[tokio::test(start_paused = true)]
async fn replicas_whose_files_change_at_different_times_are_trusted_all_along() {
    let world = world();
    let now = world.lock().unwrap().now();
    let (old, new) = (issue(now, &names()), issue(now, &names()));
    let replicas = [Replica::start(&world, &old), Replica::start(&world, &old)];
    live(&world, &replicas, 60).await;
    assert!(
        replicas
            .iter()
            .all(|replica| replica.readiness.closed().is_empty())
    );
    assert_eq!(trusted(&world), [old.authority.certificate().clone()]);

    mount(replicas[0].volume.path(), 2, &new);
    live(&world, &replicas, 100).await;
    assert!(replicas[0].serves(&new) && replicas[1].serves(&old));
    assert_eq!(trusted(&world).len(), 2);
    mount(replicas[1].volume.path(), 2, &new);
    live(&world, &replicas, 30).await;
    assert!(replicas[1].serves(&new));
    live(&world, &replicas, 800).await;
    assert_eq!(
        trusted(&world),
        [new.authority.certificate().clone()],
        "the old authority is dropped"
    );
}

#[tokio::test(start_paused = true)]
async fn files_of_no_use_change_nothing() {
    let world = world();
    let now = world.lock().unwrap().now();
    let good = issue(now, &names());
    let replicas = [Replica::start(&world, &good)];
    live(&world, &replicas, 10).await;
    let another = issue(now, &names());
    let mixed = |change: &dyn Fn(&mut Issued)| {
        let mut issued = issue(now, &names());
        change(&mut issued);
        issued
    };
    let useless = [
        mixed(&|issued| issued.key.clone_from(&another.key)),
        mixed(&|issued| issued.authority = another.authority.clone()),
        mixed(&|issued| issued.certificate = "-----BEGIN CERTIFICATE-----\n".to_owned()),
        mixed(&|issued| issued.key.clear()),
        issue(now, &["another.example".to_owned()]),
        issue(now.checked_sub(LIFE).unwrap(), &names()),
    ];
    for (number, useless) in (2..).zip(&useless) {
        mount(replicas[0].volume.path(), number, useless);
        live(&world, &replicas, 20).await;
        assert!(replicas[0].serves(&good), "{number}");
        assert_eq!(replicas[0].readiness.closed(), [], "{number}");
        assert_eq!(
            trusted(&world),
            [good.authority.certificate().clone()],
            "{number}"
        );
    }
    mount(replicas[0].volume.path(), 90, &another);
    live(&world, &replicas, 20).await;
    assert!(replicas[0].serves(&another));
}

#[tokio::test(start_paused = true)]
async fn blanked_bundle_is_mended_and_what_others_trust_is_kept() {
    let world = world();
    let now = world.lock().unwrap().now();
    let issued = issue(now, &names());
    let replicas = [Replica::start(&world, &issued)];
    live(&world, &replicas, 10).await;
    {
        let mut world = world.lock().unwrap();
        world.set_trust(0, &json!(""));
        world.is_tampered[0] = true;
    }
    live(&world, &replicas, 10).await;
    assert_eq!(trusted(&world), [issued.authority.certificate().clone()]);
}

#[test]
fn reasons_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = CertificateFiles {
        certificate: Some(folder.path().join("tls.crt")),
        key: Some(folder.path().join("tls.key")),
        authorities: None,
    };
    let paths = files.paths().unwrap();
    let missing = paths.read().err().unwrap().to_string();
    assert!(
        missing.starts_with("cannot read ") && missing.contains("tls.crt"),
        "{missing}"
    );
    let now = Timestamp::now();
    mount(folder.path(), 1, &issue(now, &["other.example".to_owned()]));
    let content = paths.read().unwrap();
    let unusable = paths.check(&content, "a.b.svc", now).unwrap_err().to_string();
    assert!(unusable.contains("cannot be served as a.b.svc"), "{unusable}");
    assert!(paths.check(&content, "other.example", now).is_ok());
}
