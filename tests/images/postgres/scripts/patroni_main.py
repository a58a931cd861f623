"""Patroni with one thing more than Debian's version has: `kubernetes.bootstrap_labels`, which Patroni knows since 4.1.

The labels are on the pod as long as it makes its data directory, so that a disruption budget can protect it.
"""

from patroni.__main__ import main
from patroni.dcs.kubernetes import Kubernetes, catch_kubernetes_errors

MAKING_DATA = {
    "initializing new cluster",
    "running custom bootstrap script",
    "starting after custom bootstrap",
    "creating replica",
}

create, touch_member = Kubernetes.__init__, Kubernetes.touch_member


def create_with_labels(self, config, mpp):
    self.bootstrap_labels = {str(key): str(value) for key, value in config.get("bootstrap_labels", {}).items()}
    create(self, config, mpp)


def touch_member_with_labels(self, data):
    labels = self.bootstrap_labels if data["state"] in MAKING_DATA else dict.fromkeys(self.bootstrap_labels)
    member = self.cluster and self.cluster.get_member(self._name, fallback_to_leader=False)
    present = (member and member.data.get("pod_labels")) or {}
    if any(present.get(key) != value for key, value in labels.items()):
        set_labels(self, labels)
    return touch_member(self, data)


@catch_kubernetes_errors
def set_labels(self, labels):
    body = {"metadata": {"namespace": self._namespace, "name": self._name, "labels": labels}}
    self._pods.set(self._name, self._api.patch_namespaced_pod(self._name, self._namespace, body))


# The class calls its parent through its own name, so it is changed in place rather than extended.
Kubernetes.__init__, Kubernetes.touch_member = create_with_labels, touch_member_with_labels

if __name__ == "__main__":
    main()
