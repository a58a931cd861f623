//! Requests and limits.

use super::super::{Hit, Subject};
use crate::{
    api::postgresql::{ResourceDescription, Resources as Written},
    cluster::resources::{CPU, MEMORY, Resources},
    units::Quantity,
};

/// As written: a limit below its own request. The cluster gets the request as limit.
pub(in super::super) fn limits_cover_requests(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(resources) = subject.spec.resources.as_ref() else {
        return Vec::new();
    };
    let (Some(requests), Some(limits)) = (resources.requests.as_ref(), resources.limits.as_ref()) else {
        return Vec::new();
    };
    let amount = |text: &Option<String>| {
        Quantity::parse(text.as_deref()?)
            .ok()
            .filter(|amount| !amount.is_zero())
    };
    let below = |(name, request, limit): (&str, &Option<String>, &Option<String>)| {
        let (request, limit) = (amount(request)?, amount(limit)?);
        let message = format!("{limit} is below the request of {request} and is raised to it");
        (limit < request).then(|| Hit::new(format!("spec.resources.limits.{name}"), message))
    };
    [
        ("cpu", &requests.cpu, &limits.cpu),
        ("memory", &requests.memory, &limits.memory),
    ]
    .into_iter()
    .filter_map(below)
    .collect()
}

/// Fields with pages of one size, and that size in bytes.
type Pages = (&'static str, fn(&ResourceDescription) -> &Option<String>, i64);

const PAGES: [Pages; 2] = [
    ("hugepages-2Mi", |side| &side.hugepages_2mi, 2 << 20),
    ("hugepages-1Gi", |side| &side.hugepages_1gi, 1 << 30),
];

/// Huge pages are had whole, as many as asked for, beside other resources.
pub(in super::super) fn huge_pages_are_whole(subject: &Subject<'_>) -> Vec<Hit> {
    let cluster = subject.cluster();
    let pooler = subject.spec.connection_pooler.as_ref();
    let mut hits = of_container(
        subject.spec.resources.as_ref(),
        cluster.map(|cluster| &cluster.resources),
        "spec.resources",
    );
    hits.extend(of_container(
        pooler.and_then(|pooler| pooler.resources.as_ref()),
        cluster.and_then(|cluster| Some(&cluster.pooler.as_ref()?.resources)),
        "spec.connectionPooler.resources",
    ));
    hits
}

fn of_container(written: Option<&Written>, effective: Option<&Resources>, path: &str) -> Vec<Hit> {
    let Some(written) = written else {
        return Vec::new();
    };
    let mut hits = Vec::new();
    for (name, field, size) in PAGES {
        let amount = |side: &Option<ResourceDescription>| {
            let text = side.as_ref().and_then(|side| field(side).as_deref())?;
            Quantity::parse(text).ok().filter(|amount| !amount.is_zero())
        };
        let (request, limit) = (amount(&written.requests), amount(&written.limits));
        let Some(pages) = limit.or(request) else { continue };
        if request.is_some_and(|request| limit != Some(request)) {
            let limit = limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
            let message =
                format!("differs from the limit ({limit}); huge pages are asked for and limited alike");
            hits.push(Hit::new(format!("{path}.requests.{name}"), message));
        } else if pages.units() % size != 0 {
            let message = format!("{pages} is no multiple of the size of a page");
            hits.push(Hit::new(format!("{path}.limits.{name}"), message));
        } else if effective.is_some_and(has_nothing_else) {
            let message = "needs cpu or memory beside it; request some";
            hits.push(Hit::new(format!("{path}.limits.{name}"), message));
        }
    }
    hits
}

fn has_nothing_else(resources: &Resources) -> bool {
    let mut names = resources.requests.keys().chain(resources.limits.keys());
    !names.any(|name| name == CPU || name == MEMORY)
}
