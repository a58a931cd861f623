//! Why a running cluster must not be taken over under this configuration: what its members are told to be is not what we would tell them.
//! Each of these would split the cluster, lose its data or its archive, or lock clients out.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Container, EnvVar, PodTemplateSpec};
use pgherd_model::cluster::Cluster;
use pgherd_model::names::containers::{DATA_PATH, POSTGRES};
use pgherd_model::names::env;
use pgherd_model::names::labels::selector_text;
use pgherd_model::names::objects::DATA_VOLUME;
use serde::{Deserialize, Serialize};

use crate::build::Desired;
use crate::observed::Observed;

/// Group and version owners are told by, without the version.
const GROUP: &str = "acid.zalan.do/";

/// One reason. What is stored comes first, what we would write second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "reason")]
pub enum Refusal {
    /// The StatefulSet finds its pods by other labels, which cannot be changed.
    Selector {
        /// As `key=value,…`.
        stored: String,
        /// The same.
        wanted: String,
    },
    /// Patroni keeps its state elsewhere: members of both kinds would each elect a primary.
    Store {
        /// `config maps`, `endpoints` or `etcd`.
        stored: String,
        /// The same.
        wanted: String,
    },
    /// Members find each other, or are found, by another label.
    Label(Label),
    /// The superuser or the replication user has another name.
    Account {
        /// The variable that names it.
        variable: String,
        /// Its name now.
        stored: String,
        /// The name that we would use.
        wanted: String,
    },
    /// The password of one of these two is in another secret: a new one would be drawn.
    Secret {
        /// The variable that holds it.
        variable: String,
        /// The secret it comes from.
        stored: String,
        /// The secret that we would use.
        wanted: String,
    },
    /// The superuser's secret names another role, as a rotation leaves it: we would log in as the one with the password of the other.
    Login {
        /// The secret.
        secret: String,
        /// The role that it names.
        stored: String,
        /// The superuser.
        wanted: String,
    },
    /// The `postgresql` object was made anew: the archive and the backups are under the old object's uid.
    Identity {
        /// The uid in use.
        stored: String,
        /// The object's uid.
        wanted: String,
    },
    /// The data is elsewhere.
    Data {
        /// What tells.
        what: String,
        /// As it is.
        stored: String,
        /// As we would have it.
        wanted: String,
    },
    /// Another object controls the StatefulSet.
    Owner {
        /// Its kind and name.
        stored: String,
    },
}

/// A variable with the name or the values of a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Which.
    pub variable: String,
    /// Its value now.
    pub stored: String,
    /// The value that we would set.
    pub wanted: String,
}

impl Refusal {
    /// The parameter to look at, or what to do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Selector { .. } => {
                "set cluster_labels and cluster_name_label as they were when it was made"
            }
            Self::Store { .. } => "set kubernetes_use_configmaps (and etcd_host) as they are for its members",
            Self::Label(label) if label.variable == env::KUBERNETES_ROLE_LABEL => {
                "set pod_role_label as it is"
            }
            Self::Label(_) => "set cluster_labels and cluster_name_label as they are",
            Self::Account { .. } => "set super_username and replication_username as they are",
            Self::Secret { .. } => "set secret_name_template as it is",
            Self::Login { .. } => {
                "end that rotation, and write the superuser's own name and password into the secret"
            }
            Self::Identity { .. } => {
                "restore the object it was made for, or let the old operator finish first"
            }
            Self::Data { .. } => "it was not made by Zalando's operator as we know it: dump and restore",
            Self::Owner { .. } => "end that other controller's claim first",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Selector { stored, wanted } => {
                write!(
                    f,
                    "its StatefulSet finds its pods by {stored}, and would by {wanted}"
                )
            }
            Self::Store { stored, wanted } => {
                write!(
                    f,
                    "its members keep their state in {stored}, and would in {wanted}"
                )
            }
            Self::Label(Label {
                variable,
                stored,
                wanted,
            })
            | Self::Account {
                variable,
                stored,
                wanted,
            } => {
                write!(f, "{variable} is {stored} on its members, and would be {wanted}")
            }
            Self::Secret {
                variable,
                stored,
                wanted,
            } => {
                write!(
                    f,
                    "{variable} comes from secret {stored}, and would from {wanted}"
                )
            }
            Self::Login {
                secret,
                stored,
                wanted,
            } => {
                write!(
                    f,
                    "secret {secret} holds the password of {stored}, and would be taken for that of {wanted}"
                )
            }
            Self::Identity { stored, wanted } => {
                write!(
                    f,
                    "it was made for an object with uid {stored}, and this one has {wanted}"
                )
            }
            Self::Data { what, stored, wanted } => write!(f, "{what} is {stored}, and would be {wanted}"),
            Self::Owner { stored } => write!(f, "its StatefulSet is controlled by {stored}"),
        }
    }
}

/// All reasons; none for a cluster that has no StatefulSet.
pub(super) fn find(cluster: &Cluster, desired: &Desired, observed: &Observed) -> Vec<Refusal> {
    let stored = observed.stateful_set.known().and_then(Option::as_ref);
    match (stored, desired.stateful_set.known()) {
        (Some(stored), Some(wanted)) => {
            let mut found = between(cluster, stored, wanted);
            found.extend(login(cluster, wanted, observed));
            found
        }
        _ => Vec::new(),
    }
}

/// A dated name in the superuser's secret. Nobody can log in to take it back.
fn login(cluster: &Cluster, wanted: &StatefulSet, observed: &Observed) -> Option<Refusal> {
    let variables = variables(database(wanted)?);
    let superuser = variables.get(env::PGUSER_SUPERUSER)?.value.as_ref()?;
    let source = variables.get(env::PGPASSWORD_SUPERUSER)?.value_from.as_ref()?;
    let secret = &source.secret_key_ref.as_ref()?.name;
    let mut views = observed.secrets.known()?.iter();
    let view = views.find(|view| view.namespace == cluster.identity.namespace && view.name == *secret)?;
    let named = view.username.as_ref().filter(|named| *named != superuser)?;
    Some(Refusal::Login {
        secret: secret.clone(),
        stored: named.clone(),
        wanted: superuser.clone(),
    })
}

/// All reasons not to touch a running cluster, by what its members were made of: what stands in the StatefulSet by now may be a slip of
/// somebody's that none of them has heard of. Where that is not known, the StatefulSet counts.
pub(super) fn of_members(cluster: &Cluster, desired: &Desired, observed: &Observed) -> Vec<Refusal> {
    // Who cannot log in may still roll pods: a condition tells of that.
    let is_reason = |refusal: &Refusal| !matches!(refusal, Refusal::Identity { .. } | Refusal::Login { .. });
    let reasons = |mut found: Vec<Refusal>| {
        found.retain(is_reason);
        found
    };
    let found = reasons(find(cluster, desired, observed));
    let stored = observed.stateful_set.known().and_then(Option::as_ref);
    let (false, Some(stored), Some(wanted)) = (found.is_empty(), stored, desired.stateful_set.known()) else {
        return found;
    };
    let Some(own) = templates(observed, stored) else {
        return found;
    };
    let mut of_pods = own.into_iter().map(|template| {
        let mut set = stored.clone();
        if let Some(spec) = set.spec.as_mut() {
            spec.template = template.clone();
        }
        reasons(between(cluster, &set, wanted))
    });
    of_pods.find(|found| !found.is_empty()).unwrap_or_default()
}

/// What each pod was made of; none when there is no pod, or one whose template is not known.
fn templates<'a>(observed: &'a Observed, stored: &'a StatefulSet) -> Option<Vec<&'a PodTemplateSpec>> {
    let latest = observed.latest_revision()?;
    let pods = observed.pods.known().filter(|pods| !pods.is_empty())?;
    let own = pods.iter().map(|pod| {
        if pod.revision == latest {
            return stored.spec.as_ref().map(|spec| &spec.template);
        }
        observed.templates.get(&pod.revision)?.known()?.as_ref()
    });
    own.collect()
}

fn between(cluster: &Cluster, stored: &StatefulSet, wanted: &StatefulSet) -> Vec<Refusal> {
    let mut found = Vec::new();
    found.extend(selector(stored, wanted));
    found.extend(owner(stored, &cluster.identity.uid));
    found.extend(claim(stored, wanted));
    let (Some(stored), Some(wanted)) = (database(stored), database(wanted)) else {
        found.push(Refusal::Data {
            what: "the database's container".to_owned(),
            stored: "not there".to_owned(),
            wanted: POSTGRES.to_owned(),
        });
        return found;
    };
    let pair = Pair {
        stored: variables(stored),
        wanted: variables(wanted),
    };
    found.extend(pair.store());
    found.extend(pair.labels());
    found.extend(pair.accounts());
    found.extend(pair.identity(&cluster.identity.uid));
    found.extend(pair.data());
    found.extend(mount(stored));
    found
}

fn selector(stored: &StatefulSet, wanted: &StatefulSet) -> Option<Refusal> {
    let labels = |object: &StatefulSet| {
        let selector = object.spec.as_ref().map(|spec| &spec.selector);
        let labels = selector
            .and_then(|selector| selector.match_labels.clone())
            .unwrap_or_default();
        selector_text(&labels)
    };
    let (stored, wanted) = (labels(stored), labels(wanted));
    (stored != wanted).then_some(Refusal::Selector { stored, wanted })
}

/// A controller that is a `postgresql` is the object itself, or one that it has replaced.
fn owner(stored: &StatefulSet, uid: &str) -> Option<Refusal> {
    let owners = stored.metadata.owner_references.iter().flatten();
    let other = owners
        .into_iter()
        .find(|owner| owner.controller == Some(true) && owner.uid != uid)?;
    if other.kind == "postgresql" && other.api_version.starts_with(GROUP) {
        return Some(Refusal::Identity {
            stored: other.uid.clone(),
            wanted: uid.to_owned(),
        });
    }
    Some(Refusal::Owner {
        stored: format!("{} {}", other.kind, other.name),
    })
}

fn claim(stored: &StatefulSet, wanted: &StatefulSet) -> Option<Refusal> {
    let name = |object: &StatefulSet| {
        let claims = object
            .spec
            .as_ref()
            .and_then(|spec| spec.volume_claim_templates.clone());
        let names = claims
            .into_iter()
            .flatten()
            .filter_map(|claim| claim.metadata.name);
        names.collect::<Vec<_>>().join(", ")
    };
    let (stored, wanted) = (name(stored), name(wanted));
    (stored != wanted).then(|| Refusal::Data {
        what: "the name of its volume claims".to_owned(),
        stored,
        wanted,
    })
}

fn mount(stored: &Container) -> Option<Refusal> {
    let mounts = stored.volume_mounts.iter().flatten();
    let path = mounts
        .into_iter()
        .find(|mount| mount.name == DATA_VOLUME)
        .map(|mount| mount.mount_path.as_str());
    (path != Some(DATA_PATH)).then(|| Refusal::Data {
        what: "the mount path of its data".to_owned(),
        stored: path.unwrap_or("nowhere").to_owned(),
        wanted: DATA_PATH.to_owned(),
    })
}

fn database(object: &StatefulSet) -> Option<&Container> {
    let pod = object.spec.as_ref()?.template.spec.as_ref()?;
    pod.containers.iter().find(|container| container.name == POSTGRES)
}

/// By name; the last of a name counts, as in a container.
fn variables(container: &Container) -> BTreeMap<&str, &EnvVar> {
    let variables = container.env.iter().flatten();
    variables
        .map(|variable| (variable.name.as_str(), variable))
        .collect()
}

/// The variables of the members as they are, and as they would be.
struct Pair<'a> {
    stored: BTreeMap<&'a str, &'a EnvVar>,
    wanted: BTreeMap<&'a str, &'a EnvVar>,
}

impl Pair<'_> {
    /// Both values of a variable, where they differ.
    fn differing(&self, name: &str) -> Option<(String, String)> {
        let value = |variables: &BTreeMap<&str, &EnvVar>| {
            let variable = variables.get(name);
            variable
                .and_then(|variable| variable.value.clone())
                .unwrap_or_default()
        };
        let (stored, wanted) = (value(&self.stored), value(&self.wanted));
        (stored != wanted).then_some((stored, wanted))
    }

    fn store(&self) -> Option<Refusal> {
        let store = |variables: &BTreeMap<&str, &EnvVar>| {
            let is_on = |name: &str| {
                let value = variables.get(name).and_then(|variable| variable.value.as_deref());
                value.is_some_and(|value| !value.is_empty() && value != "false")
            };
            match (is_on(env::ETCD_HOST), is_on(env::KUBERNETES_USE_CONFIGMAPS)) {
                (true, _) => "etcd",
                (false, true) => "config maps",
                (false, false) => "endpoints",
            }
        };
        let (stored, wanted) = (store(&self.stored), store(&self.wanted));
        (stored != wanted).then(|| Refusal::Store {
            stored: stored.to_owned(),
            wanted: wanted.to_owned(),
        })
    }

    fn labels(&self) -> Vec<Refusal> {
        let names = [
            env::KUBERNETES_SCOPE_LABEL,
            env::KUBERNETES_ROLE_LABEL,
            env::KUBERNETES_LABELS,
        ];
        let differing = names
            .into_iter()
            .filter_map(|name| Some((name, self.differing(name)?)));
        differing
            .map(|(name, (stored, wanted))| {
                Refusal::Label(Label {
                    variable: name.to_owned(),
                    stored,
                    wanted,
                })
            })
            .collect()
    }

    fn accounts(&self) -> Vec<Refusal> {
        let users = [env::PGUSER_SUPERUSER, env::PGUSER_STANDBY];
        let users = users.into_iter().filter_map(|name| {
            let (stored, wanted) = self.differing(name)?;
            Some(Refusal::Account {
                variable: name.to_owned(),
                stored,
                wanted,
            })
        });
        let passwords = [env::PGPASSWORD_SUPERUSER, env::PGPASSWORD_STANDBY];
        let passwords = passwords.into_iter().filter_map(|name| {
            let secret = |variables: &BTreeMap<&str, &EnvVar>| {
                let source = variables.get(name)?.value_from.as_ref()?;
                Some(source.secret_key_ref.as_ref()?.name.clone())
            };
            let (stored, wanted) = (secret(&self.stored)?, secret(&self.wanted)?);
            (stored != wanted).then(|| Refusal::Secret {
                variable: name.to_owned(),
                stored,
                wanted,
            })
        });
        users.chain(passwords).collect()
    }

    /// The uid is part of the archive's path.
    fn identity(&self, uid: &str) -> Option<Refusal> {
        let suffixes = ["WAL_BUCKET_SCOPE_SUFFIX", "LOG_BUCKET_SCOPE_SUFFIX"];
        let (stored, wanted) = suffixes.into_iter().find_map(|name| {
            let (stored, wanted) = self.differing(name)?;
            let is_ours = wanted.strip_prefix('/') == Some(uid);
            (is_ours && !stored.is_empty()).then_some((stored, wanted))
        })?;
        let plain = |text: &str| text.trim_start_matches('/').to_owned();
        Some(Refusal::Identity {
            stored: plain(&stored),
            wanted: plain(&wanted),
        })
    }

    fn data(&self) -> Vec<Refusal> {
        let names = [env::SCOPE, env::PGROOT];
        let differing = names
            .into_iter()
            .filter_map(|name| Some((name, self.differing(name)?)));
        differing
            .map(|(name, (stored, wanted))| Refusal::Data {
                what: name.to_owned(),
                stored,
                wanted,
            })
            .collect()
    }
}
