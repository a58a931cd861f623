//! The law, over interleavings: replicas whose requests are slow or lost, whose clocks disagree, which crash and start anew, while people
//! blank bundles and delete the Secret. What the API server trusts verifies every leaf that a ready replica serves.

use std::collections::HashSet;
use std::sync::Mutex;

use futures::{StreamExt, stream};
use pgherd_runtime::readiness::Readiness;
use proptest::prelude::*;
use serde_json::json;
use tokio::task::JoinHandle;

use super::*;
use crate::leaf::service_names;
use crate::world::{Fate, SharedWorld, World, client, verifies};

const POLICY: Policy = Policy {
    authority_life: Duration::from_mins(15),
    leaf_life: Duration::from_mins(1),
    settle: Duration::from_secs(20),
    slack: Duration::from_secs(10),
};
/// Minutes without faults at the end, after which all must be well again.
const CALM: u64 = 3;

struct Replica {
    serving: Arc<Serving>,
    readiness: Readiness,
    task: JoinHandle<()>,
}

impl Replica {
    fn start(world: &SharedWorld, fates: &Arc<Mutex<Vec<Fate>>>, skew: i64) -> Self {
        let settings = Settings {
            namespace: "ops".to_owned(),
            secret: "pgherd-webhook-ca".to_owned(),
            configurations: vec![
                (Kind::Mutating, "pgherd".to_owned()),
                (Kind::Validating, "pgherd".to_owned()),
            ],
            names: service_names("pgherd-webhook", "ops"),
            policy: POLICY,
        };
        let (serving, readiness) = (Serving::new(), Readiness::new());
        let gate = readiness.gate("certificate", "none yet");
        let clock = Arc::clone(world);
        let now = move || {
            clock
                .lock()
                .unwrap()
                .now()
                .checked_add(SignedDuration::from_millis(skew))
                .unwrap()
        };
        let client = client(world, Arc::clone(fates));
        let mut keeper = Keeper::new(
            &client,
            &settings,
            Arc::clone(&serving),
            gate,
            CertMetrics::default(),
            now,
        );
        let task = tokio::spawn(async move {
            let mut news = stream::unfold((), async |()| {
                sleep(Duration::from_millis(2_900)).await;
                Some(((), ()))
            })
            .boxed();
            keeper.run(&mut news).await;
        });
        Self {
            serving,
            readiness,
            task,
        }
    }

    fn ready_leaf(&self) -> Option<Leaf> {
        self.readiness
            .closed()
            .is_empty()
            .then(|| self.serving.leaf())
            .flatten()
    }
}

/// What people and machines do to us. The Secret is lost at most once in a life: trust is rebuilt from what the configurations say, and
/// one who destroys the Secret again while that is going on gets an outage.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Crash(usize),
    Blank(usize),
    DeleteSecret,
    BreakSecret,
}

fn strike(blow: Blow, world: &SharedWorld, replicas: &mut [Replica], fates: &[Arc<Mutex<Vec<Fate>>>]) {
    let mut guard = world.lock().unwrap();
    match blow {
        Blow::Crash(which) => {
            drop(guard);
            replicas[which].task.abort();
            replicas[which] = Replica::start(world, &fates[which], 0);
        }
        Blow::Blank(which) => {
            guard.set_trust(which, &json!(""));
            guard.is_tampered[which] = true;
        }
        Blow::DeleteSecret => guard.secret = None,
        Blow::BreakSecret => {
            let version = guard.next_version();
            if let Some(secret) = &mut guard.secret {
                secret["data"]["active.key"] = json!("");
                secret["metadata"]["resourceVersion"] = version;
            }
        }
    }
}

/// Pairs of leaf and bundle that were fine: they stay so while the leaf is valid, since it never outlives its authority.
type Verified = HashSet<(Vec<u8>, String)>;

/// A leaf that ran out because its replica's requests hang verifies nowhere, and breaks no trust.
fn broken_trust(world: &World, replicas: &[Replica], verified: &mut Verified) -> Option<String> {
    let now = world.now();
    for (number, replica) in replicas.iter().enumerate() {
        let Some(leaf) = replica
            .ready_leaf()
            .filter(|leaf| leaf.certificate().is_valid(now))
        else {
            continue;
        };
        for bundle in world.trusted_bundles() {
            let pair = (leaf.certificate().der().to_vec(), bundle);
            if verified.contains(&pair) {
                continue;
            }
            if verifies(&leaf, &pair.1, now) {
                verified.insert(pair);
            } else {
                let after = world.start.elapsed();
                let log = world.log.join("\n");
                return Some(format!(
                    "replica {number} serves {leaf:?}, which is not trusted, after {after:?}\n{log}"
                ));
            }
        }
    }
    None
}

/// So many minutes of it and a calm end, checked twice a second. Gives the number of promotions.
async fn live(
    fates: Vec<Vec<Fate>>,
    skews: &[i64],
    mut blows: Vec<(u64, Blow)>,
    minutes: u64,
) -> Result<u64, String> {
    let world: SharedWorld = Arc::new(Mutex::new(World::new()));
    let fates: Vec<_> = fates
        .into_iter()
        .map(|fates| Arc::new(Mutex::new(fates)))
        .collect();
    let mut replicas: Vec<_> = fates
        .iter()
        .zip(skews)
        .map(|(fates, skew)| Replica::start(&world, fates, *skew))
        .collect();
    let mut losses = 0;
    blows.retain(|(_, blow)| {
        losses += u64::from(matches!(blow, Blow::DeleteSecret | Blow::BreakSecret));
        losses <= 1 || matches!(blow, Blow::Crash(_) | Blow::Blank(_))
    });
    blows.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let mut verified = Verified::new();
    for tick in 0..(minutes + CALM) * 120 {
        if tick == minutes * 120 {
            for fates in &fates {
                fates.lock().unwrap().clear();
            }
        }
        sleep(Duration::from_millis(500)).await;
        while let Some((_, blow)) = blows.pop_if(|(at, _)| *at * 2 <= tick) {
            strike(blow, &world, &mut replicas, &fates);
        }
        if let Some(broken) = broken_trust(&world.lock().unwrap(), &replicas, &mut verified) {
            return Err(broken);
        }
    }
    for (number, replica) in replicas.iter().enumerate() {
        let leaf = replica
            .ready_leaf()
            .ok_or(format!("replica {number} is not ready: {:?}", replica.readiness))?;
        let now = world.lock().unwrap().now();
        if !leaf.certificate().is_valid(now) {
            return Err(format!("replica {number} serves {leaf:?} at {now}"));
        }
    }
    let world = world.lock().unwrap();
    if world.is_tampered.contains(&true) {
        return Err("a blanked bundle was never mended".to_owned());
    }
    Ok(world.promotions)
}

#[tokio::test(start_paused = true)]
async fn authority_rotates_on_schedule_and_no_leaf_is_ever_distrusted() {
    let promotions = live(vec![vec![], vec![]], &[-3_000, 3_000], vec![], 35)
        .await
        .unwrap();
    assert_eq!(promotions, 3, "one each ten minutes");
}

#[tokio::test(start_paused = true)]
async fn deleted_secret_is_made_anew_and_its_authority_replaced() {
    let blows = vec![(60, Blow::DeleteSecret)];
    let promotions = live(vec![vec![], vec![]], &[0, 0], blows, 1).await.unwrap();
    assert_eq!(promotions, 1);
}

fn fate() -> impl Strategy<Value = Fate> {
    let delay = || prop_oneof![4 => Just(0_u64), 3 => 1..3_000_u64, 1 => 3_000..90_000_u64];
    (delay(), delay(), prop::bool::weighted(0.1)).prop_map(|(before, after, is_lost)| Fate {
        before,
        after,
        is_lost,
    })
}

fn blow() -> impl Strategy<Value = (u64, Blow)> {
    let blow = prop_oneof![
        3 => (0..3_usize).prop_map(Blow::Crash),
        2 => (0..2_usize).prop_map(Blow::Blank),
        1 => Just(Blow::DeleteSecret),
        1 => Just(Blow::BreakSecret),
    ];
    (0..1_500_u64, blow)
}

/// A few lives by default; `PROPTEST_CASES` asks for more.
fn lives() -> ProptestConfig {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() {
        ProptestConfig::default().cases
    } else {
        12
    };
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(lives())]

    #[test]
    fn trust_verifies_every_leaf_being_served(
        fates in prop::collection::vec(prop::collection::vec(fate(), 0..250), 3),
        skews in prop::collection::vec(-4_000..4_000_i64, 3),
        blows in prop::collection::vec(blow(), 0..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let outcome = runtime.block_on(live(fates, &skews, blows, 30));
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}
