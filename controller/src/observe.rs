//! Reads what is, source by source, each with a limit of its own; what does not answer is recorded as unknown. A steady cluster costs no
//! request to the API server: its objects are known from the watches. Must not: conclude anything from what it reads.
//!
//! ```text
//! cache ─► objects (reads only what changed) ─┐
//! cache ─► pods ─► patroni (one member) ─► catalog (SQL, only when something it depends on changed) ─► Observed
//! ```

use pgherd_model::cluster::RoleSources;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;
use pgherd_planner::build::Desired;
use pgherd_planner::observed::{ClusterView, Observed, Source};
use tokio::time::Instant;

use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::sql::catalog::Inside;

mod catalog;
mod earlier;
mod elsewhere;
mod endpoints;
mod environment;
mod given;
mod leftovers;
mod objects;
mod outside;
mod owners;
mod patroni;
mod request;
mod templates;

pub use endpoints::remember_endpoints;
pub use environment::environment;
pub use outside::role_sources;

/// What is asked about.
#[derive(Debug)]
pub struct Question<'a> {
    pub cluster: &'a ClusterRef,
    pub view: &'a ClusterView,
    pub names: &'a Names,
    pub config: &'a OperatorConfig,
    /// What is wanted, where the manifest can be given a meaning: tells which secrets to look for.
    pub desired: Option<&'a Desired>,
    /// What others say of its roles, which are among those of `desired`.
    pub sources: &'a RoleSources,
    /// Databases whose inside is looked at.
    pub inside: Inside,
    /// Why the database is not to be asked, if so.
    pub catalog_unwanted: Option<&'static str>,
    /// The cluster is going: its leftovers are of interest, its database is not.
    pub deleting: bool,
    /// Why nothing of it is removed all the same, if so.
    pub spared: Option<&'static str>,
}

/// Takes one snapshot.
pub async fn observe(context: &Context, question: &Question<'_>) -> Observed {
    let mut observed = Observed {
        cluster: question.view.clone(),
        role_sources: question.sources.clone(),
        ..Observed::default()
    };
    objects::read(context, question, &mut observed).await;
    observed.rewritten = context.memories.with(question.cluster, |memory| {
        let (generation, paths) = &memory.rewritten;
        if *generation == question.view.generation {
            paths.clone()
        } else {
            Vec::new()
        }
    });
    observed.refused = context.memories.with(question.cluster, |memory| {
        memory.refused(question.view.generation, Instant::now())
    });
    let pods = context.cache.pods.of(question.cluster);
    observed.pods = Source::Known(pods.clone());
    let used = pods.iter().map(|pod| pod.node.as_str()).collect();
    observed.nodes = context.cache.nodes.view(&used, question.config);
    if question.deleting {
        observed.patroni_objects = leftovers::read(context, question).await;
    } else {
        observed.earlier = earlier::read(context, question, &observed).await;
        observed.patroni = patroni::read(context, &pods).await;
        if let Source::Known(patroni) = &mut observed.patroni {
            patroni.request = request::read(context, question, patroni).await;
        }
        observed.state_objects = owners::read(context, question, &observed.patroni).await;
        observed.catalog = catalog::read(context, question, &observed, &pods).await;
        observed.templates = templates::read(context, question.cluster, &observed).await;
    }
    observed
}
