//! A member: its pod and what Patroni says of it, together. Lives here: the one judgement of whether a member is up, or broken. Must not:
//! what is done about it.

use pgherd_model::names::{Names, Role};

use super::{MemberView, Observed, PodView, Source};

/// States of Patroni in which Postgres does not run and is not about to.
const FAILED: [&str; 6] = [
    "crashed",
    "start failed",
    "restart failed",
    "stop failed",
    "initdb failed",
    "custom bootstrap failed",
];

/// One member of the cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member<'a> {
    /// Its number among the members.
    pub ordinal: u32,
    /// Its pod.
    pub pod: &'a PodView,
    /// What Patroni says of it; `None` when Patroni does not know it.
    pub view: Option<&'a MemberView>,
    /// Patroni answered: a member that it does not name is not running.
    patroni_answered: bool,
}

impl Member<'_> {
    /// Its pod is ready and has a role, and Postgres leads or follows in it. While Patroni is silent the pod alone decides.
    pub fn is_up(&self) -> bool {
        let pod = self.pod;
        let runs = match self.view {
            Some(view) => view.keeps_up(),
            None => !self.patroni_answered,
        };
        runs && pod.ready && !pod.terminating && pod.trouble.is_empty() && !pod.role_label.is_empty()
    }

    /// Why it does not run and will not by itself, as far as can be seen (zalando-behaviour A.21). A pod without a status yet, one that ends,
    /// and one that is starting are not broken.
    pub fn defect(&self) -> Option<&str> {
        let pod = self.pod;
        let failed = self.view.map(|view| view.state.as_str());
        match pod.phase.as_str() {
            _ if pod.terminating => None,
            _ if !pod.trouble.is_empty() => Some(&pod.trouble),
            "Failed" => Some("Failed"),
            _ => failed.filter(|state| FAILED.contains(state)),
        }
    }

    /// As [`Self::defect`], of what the database needs: a container beside it may fail while Postgres serves, or recovers from a crash.
    pub fn database_defect(&self) -> Option<&str> {
        let pod = self.pod;
        if !pod.trouble_beside || pod.phase == "Failed" {
            return self.defect();
        }
        let failed = self.view.map(|view| view.state.as_str());
        failed.filter(|state| !pod.terminating && FAILED.contains(state))
    }

    /// Its pod ends, or starts and nothing is known to keep it from that.
    pub fn is_on_its_way(&self) -> bool {
        self.pod.terminating || !self.pod.ready && self.defect().is_none()
    }

    /// Postgres leads or follows in it, as far as Patroni says, whatever its pod looks like.
    pub fn serves(&self) -> bool {
        self.view.is_some_and(MemberView::keeps_up)
    }

    /// Patroni wrote the primary's role on its pod.
    pub fn is_labelled_primary(&self) -> bool {
        self.pod.role_label == Role::Primary.label() && !self.pod.terminating
    }
}

impl Observed {
    /// The members that have a pod, by ordinal; none while the pods are not known. What else carries the cluster's labels, a copy for
    /// debugging say, is no member.
    pub fn members(&self, names: &Names) -> Vec<Member<'_>> {
        let patroni = self.patroni.known();
        let pods = self.pods.known().map(Vec::as_slice).unwrap_or_default();
        let member = |pod| {
            let pod: &PodView = pod;
            Some(Member {
                ordinal: names.ordinal(&pod.name)?,
                pod,
                view: patroni.and_then(|patroni| patroni.member(&pod.name)),
                patroni_answered: matches!(self.patroni, Source::Known(_)),
            })
        };
        let mut members: Vec<Member<'_>> = pods.iter().filter_map(member).collect();
        members.sort_by_key(|member| member.ordinal);
        members
    }
}
