//! A newer pgherd restarts nothing. Where a template differs although nothing that decides it has changed, it is this pgherd that would make
//! it otherwise than the one before: that waits for the next change that rolls anyway, or for somebody who asks for a roll.
//!
//! What was decided stands in the status ([`TemplateRecord`]), not in the StatefulSet: Zalando's operator would take an annotation there for
//! a change. Lives here: the decision, and the fingerprints that it goes by. Must not: compare templates (`diff`), or roll pods (`roll`).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use pgherd_model::api::status::{DeferredTemplate, TemplateRecord};
use pgherd_model::config::{Affects, Form, OperatorConfig, params};
use pgherd_model::names::annotations::{ROLL_MARKED, ROLLING_UPDATE_REQUIRED};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::shape::{dressed, shape};
use super::{HoldReason, Matter, Plan};
use crate::build::Desired;
use crate::diff::of_stateful_sets;
use crate::observed::{Observed, PodView, Source};

/// What makes the templates.
const BUILDER: &str = env!("CARGO_PKG_VERSION");
/// What a parameter that nobody has set may be.
static DEFAULTS: LazyLock<[OperatorConfig; 2]> =
    LazyLock::new(|| [Form::ConfigMap, Form::Crd].map(OperatorConfig::default_for));
/// Fields of a spec that no template is made of.
const BESIDE: [&str; 9] = [
    "allowedSourceRanges",
    "databases",
    "maintenanceWindows",
    "numberOfInstances",
    "preparedDatabases",
    "users",
    "usersIgnoringSecretRotation",
    "usersWithInPlaceSecretRotation",
    "usersWithSecretRotation",
];

/// Fingerprint of the part of a raw `spec` that a template may be made of; for [`crate::observed::ClusterView::inputs`].
pub fn spec_inputs(spec: &Value) -> String {
    let fields = spec.as_object().into_iter().flatten();
    let fields: BTreeMap<&String, &Value> = fields
        .filter(|(name, _)| !BESIDE.contains(&name.as_str()))
        .collect();
    fingerprint(&fields)
}

/// The desired objects, with the stored template where the difference to it waits. Notes in the plan what to remember of it.
pub(super) fn settle<'a>(
    desired: &'a Desired,
    observed: &Observed,
    config: &OperatorConfig,
    plan: &mut Plan,
) -> Cow<'a, Desired> {
    let view = &observed.cluster;
    let (Source::Known(wanted), Source::Known(stored)) = (&desired.stateful_set, &observed.stateful_set)
    else {
        return Cow::Borrowed(desired);
    };
    if view.inputs.is_empty() {
        return Cow::Borrowed(desired);
    }
    let mut record = TemplateRecord {
        builder: BUILDER.to_owned(),
        inputs: inputs(observed, config),
        deferred: None,
    };
    let known = view.status.template.as_ref();
    let held = known.and_then(|known| {
        let there = template_there(stored.as_ref(), known, observed)?;
        held_back(wanted, there, known, &record.inputs, observed)
    });
    let Some((kept, deferred)) = held else {
        plan.template = Some(record);
        return Cow::Borrowed(desired);
    };
    record.deferred = Some(deferred);
    plan.template = Some(record);
    plan.hold(Matter::StatefulSet, HoldReason::Deferred);
    Cow::Owned(Desired {
        stateful_set: Source::Known(kept),
        ..desired.clone()
    })
}

/// The template in force. While a StatefulSet is made anew, or somebody has deleted it, that is the one which its pods were made of: the one that
/// was remembered as kept, or for a pgherd that sees it for the first time the only one there is.
fn template_there<'a>(
    stored: Option<&'a StatefulSet>,
    known: &TemplateRecord,
    observed: &'a Observed,
) -> Option<&'a PodTemplateSpec> {
    if let Some(stored) = stored {
        return Some(&stored.spec.as_ref()?.template);
    }
    let pods = observed.pods.known()?;
    let revisions: BTreeSet<&str> = pods.iter().map(|pod| pod.revision.as_str()).collect();
    let template = |revision: &&str| observed.templates.get(*revision)?.known()?.as_ref();
    let mut templates = revisions.iter().filter_map(template);
    match &known.deferred {
        Some(deferred) => templates.find(|template| fingerprint(&shape(template)) == deferred.kept),
        None if known.builder == BUILDER || revisions.len() > 1 => None,
        None => templates.next(),
    }
}

/// The wanted one with the template that is there, if that is to stay.
fn held_back(
    wanted: &StatefulSet,
    there: &PodTemplateSpec,
    known: &TemplateRecord,
    inputs: &str,
    observed: &Observed,
) -> Option<(StatefulSet, DeferredTemplate)> {
    if observed.pods.known()?.iter().any(is_asked_for) {
        return None;
    }
    let mut kept = wanted.clone();
    let spec = kept.spec.as_mut()?;
    // What rolls nothing may change meanwhile.
    let deferred = DeferredTemplate {
        wanted: fingerprint(&shape(&spec.template)),
        kept: fingerprint(&shape(there)),
    };
    // A pgherd that sees it for the first time goes by what decides it; later what was found then tells whether anything is new.
    let stays = if known.builder == BUILDER {
        known.deferred.as_ref() == Some(&deferred)
    } else {
        known.inputs == inputs
    };
    if !stays {
        return None;
    }
    spec.template = dressed(there.clone(), &spec.template);
    // Nothing waits where both mean the same.
    of_stateful_sets(wanted, &kept)?;
    Some((kept, deferred))
}

/// Somebody else than we has marked it: `pgherd restart`, or Zalando's operator.
fn is_asked_for(pod: &PodView) -> bool {
    let mark = pod.annotations.get(ROLLING_UPDATE_REQUIRED);
    mark.is_some_and(|value| value == "true") && !pod.annotations.contains_key(ROLL_MARKED)
}

/// Fingerprint of all that decides a template. Of the operator's parameters only those count that somebody has set: another default is the
/// newer pgherd's own.
fn inputs(observed: &Observed, config: &OperatorConfig) -> String {
    let set = params()
        .filter(|param| param.affects.contains(&Affects::Pods))
        .filter(|param| DEFAULTS.iter().all(|default| param.differs(default, config)))
        .map(|param| (param.name, param.show(config)));
    let environment = observed.pod_environment.known();
    fingerprint(&json!({
        "spec": observed.cluster.inputs,
        "parameters": set.collect::<BTreeMap<_, _>>(),
        "secret": environment.map(|environment| &environment.secret_keys),
        "variables": environment.map(|environment| &environment.config_map),
    }))
}

/// Sixteen digits, the same for the same value in every version of pgherd.
fn fingerprint(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).unwrap_or_default();
    let digest = Sha256::digest(text);
    let head = digest.iter().take(8);
    let number = head.fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{number:016x}")
}
