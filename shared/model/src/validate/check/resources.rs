//! Requests and limits.

use super::super::{Hit, Subject};
use crate::units::Quantity;

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
