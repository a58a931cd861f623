//! Counts requests to the API server by verb, kind and answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::{Method, Request, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tower::{BoxError, Layer, Service};

/// The count. Cheap to clone; clones count together.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    requests: Family<RequestLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    /// The kind, as in a path: `pods`, `pods/eviction`; `other` for what is not about objects.
    resource: String,
    /// HTTP status, or 0 when there was no answer.
    code: u16,
}

impl Meter {
    /// A count that shows up in the metrics.
    pub fn registered(registry: &mut Registry) -> Self {
        let meter = Self::default();
        registry.register(
            "api_requests",
            "Requests to the API server by verb, resource and HTTP status (0: no answer)",
            meter.requests.clone(),
        );
        meter
    }
}

impl<S> Layer<S> for Meter {
    type Service = Metered<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Metered {
            inner,
            meter: self.clone(),
        }
    }
}

/// A client's service with the count around it.
#[derive(Debug, Clone)]
pub struct Metered<S> {
    inner: S,
    meter: Meter,
}

impl<S, B, R> Service<Request<B>> for Metered<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let verb = verb(request.method(), request.uri().query());
        let resource = resource(request.uri().path());
        let requests = self.meter.requests.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await.map_err(Into::into);
            let code = answer.as_ref().map_or(0, |response| response.status().as_u16());
            let labels = RequestLabels { verb, resource, code };
            requests.get_or_create(&labels).inc();
            answer
        })
    }
}

fn verb(method: &Method, query: Option<&str>) -> &'static str {
    match *method {
        Method::GET if query.is_some_and(|query| query.contains("watch=true")) => "watch",
        Method::GET => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

/// Of the paths `/api/v1/…` and `/apis/GROUP/VERSION/…`, with or without `namespaces/NAMESPACE`. No name of an object is in it, so that there
/// are as many as kinds.
fn resource(path: &str) -> String {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let rest: Vec<&str> = match parts.next() {
        Some("api") => parts.skip(1).collect(),
        Some("apis") => parts.skip(2).collect(),
        _ => Vec::new(),
    };
    match rest.as_slice() {
        ["namespaces", _, resource] | ["namespaces", _, resource, _] if is_kind(resource) => {
            (*resource).to_owned()
        }
        // Of a proxy the rest of the path is another's.
        ["namespaces", _, resource, _, part, ..] | [resource, _, part] => format!("{resource}/{part}"),
        [resource] | [resource, _] => (*resource).to_owned(),
        _ => "other".to_owned(),
    }
}

/// Not a part of the namespace itself.
fn is_kind(word: &str) -> bool {
    !matches!(word, "status" | "finalize")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_kind_and_never_by_name() {
        let table = [
            ("/api/v1/namespaces/apps/pods", "pods"),
            ("/api/v1/namespaces/apps/pods/acid-demo-0", "pods"),
            (
                "/api/v1/namespaces/apps/pods/acid-demo-0/proxy/cluster/x",
                "pods/proxy",
            ),
            ("/api/v1/pods", "pods"),
            ("/api/v1/namespaces", "namespaces"),
            ("/api/v1/namespaces/apps", "namespaces"),
            ("/api/v1/namespaces/apps/status", "namespaces/status"),
            ("/api/v1/nodes/n1", "nodes"),
            (
                "/apis/acid.zalan.do/v1/namespaces/apps/postgresqls/acid-demo/status",
                "postgresqls/status",
            ),
            ("/apis/apps/v1/statefulsets", "statefulsets"),
            ("/apis/acid.zalan.do/v1", "other"),
            ("/version", "other"),
        ];
        for (path, expected) in table {
            assert_eq!(resource(path), expected, "{path}");
        }
    }
}
