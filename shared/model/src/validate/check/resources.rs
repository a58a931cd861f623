//! Requests and limits.

use super::super::{Hit, Subject};
use crate::{api::postgresql::ResourceDescription, units::Quantity};

/// As written: a limit below its own request. The cluster gets the request as limit.
pub(in super::super) fn limits_cover_requests(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(resources) = subject.spec.resources.as_ref() else {
        return Vec::new();
    };
    let (Some(requests), Some(limits)) = (resources.requests.as_ref(), resources.limits.as_ref()) else {
        return Vec::new();
    };
    let fields: [(&str, fn(&ResourceDescription) -> Option<&String>); 2] = [
        ("cpu", |side| side.cpu.as_ref()),
        ("memory", |side| side.memory.as_ref()),
    ];
    let below = |(name, field): (&str, fn(&ResourceDescription) -> Option<&String>)| {
        let amount = |side| {
            field(side)
                .and_then(|text| Quantity::parse(text).ok())
                .filter(|amount| !amount.is_zero())
        };
        let (request, limit) = (amount(requests)?, amount(limits)?);
        let message = format!("{limit} is below the request of {request} and is raised to it");
        (limit < request).then(|| Hit::new(format!("spec.resources.limits.{name}"), message))
    };
    fields.into_iter().filter_map(below).collect()
}
