"""Kubernetes workloads: Deployments, StatefulSets, Jobs, Pods and LeaderWorkerSets whose containers serve models.

Objects: kubernetes.io/docs/reference (apps/v1, batch/v1, core/v1); lws.sigs.k8s.io (leaderworkerset.x-k8s.io/v1).
"""

from __future__ import annotations

from dataclasses import replace

from llmperf.deployments import pod_keys
from llmperf.deployments.deployment import Draft
from llmperf.deployments.node import Node
from llmperf.deployments.pods import Place, served
from llmperf.deployments.scripts import Files

TEMPLATES = {
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "Pod": ("spec",),
}
"""Kinds of workloads, and where their pods are described."""
LEADER_WORKERS = "LeaderWorkerSet"
SETS = "JobSet"
COUNTED = ("Deployment", "StatefulSet", "ReplicaSet", "Job", "CronJob", SETS)
"""Kinds whose pods may together be one server."""
SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")


def recognizes(root: Node) -> bool:
    """Whether a document is such a workload."""
    return root.kind() in (*TEMPLATES, LEADER_WORKERS, SETS)


def read(root: Node, others: list[Node], files: Files, hardware: str | None) -> list[Draft]:
    """The servers of one workload."""
    kind, name = root.kind(), root.at("metadata", "name").text() or "unnamed"
    count, replicas = _count(root, kind)
    line = count.line or root.line
    place = Place(name, root.file, f"Kubernetes {kind}", line, files, hardware, replicas, counted=kind in COUNTED)
    if kind == SETS:
        return _told(_jobs(root, place), root)
    template = TEMPLATES.get(kind)
    metadata = (root.at("metadata"), root.at(*template[:-1], "metadata")) if template else ()
    drafts = served(root.at(*template), place, metadata) if template else _leader_workers(root, place)
    if kind == "DaemonSet":
        for draft in drafts:
            draft.assume("DaemonSet", "runs once on every node; one is taken", line=root.line)
    for draft in drafts:
        _scaled(draft, name, others)
    return _told(drafts, root)


def _told(drafts: list[Draft], root: Node) -> list[Draft]:
    """Servers with what became of the keys of their workload."""
    for draft in drafts:
        pod_keys.OBJECT.tell(draft, root)
        if root.kind() != "Pod":
            pod_keys.WORKLOADS.tell(draft, root.at("spec"))
    return drafts


def _count(root: Node, kind: str) -> tuple[Node, int]:
    """Pods of a workload: a Job runs as many at once as its parallelism says, but no more than are to complete."""
    if kind not in ("Job", "CronJob"):
        return root.at("spec", "replicas"), root.at("spec", "replicas").whole(1)
    spec = root.at("spec") if kind == "Job" else root.at("spec", "jobTemplate", "spec")
    count = spec.at("parallelism")
    pods = count.whole(1)
    return count, min(pods, spec.at("completions").whole(pods))


def _jobs(root: Node, place: Place) -> list[Draft]:
    """The jobs of a JobSet, each so often as it is replicated."""
    found: list[Draft] = []
    for job in root.at("spec", "replicatedJobs").items():
        spec = job.at("template", "spec")
        pods = spec.at("parallelism").whole(1) * job.at("replicas").whole(1)
        name = f"{place.name}/{job.at('name').text() or len(found)}"
        metadata = (root.at("metadata"), spec.at("template", "metadata"))
        found += served(spec.at("template", "spec"), replace(place, name=name, replicas=pods, line=job.line), metadata)
    return found


def _leader_workers(root: Node, place: Place) -> list[Draft]:
    """Groups of pods, of which the leader starts the server, or all do."""
    group = root.at("spec", "leaderWorkerTemplate")
    size = max(group.at("size").whole(1), 1)
    place = Place(place.name, place.file, place.form, place.line, place.files, place.hardware, place.replicas, size)
    leader, worker = group.at("leaderTemplate"), group.at("workerTemplate")
    return served(leader.at("spec"), place, (root.at("metadata"), leader.at("metadata"))) or served(
        worker.at("spec"), place, (root.at("metadata"), worker.at("metadata"))
    )


def _scaled(draft: Draft, name: str, others: list[Node]) -> None:
    """Say that something changes the number of copies."""
    for other in others:
        if other.kind() in SCALERS and other.at("spec", "scaleTargetRef", "name").text() == name:
            kind = other.at("kind").text()
            draft.assume(kind, "changes the number of copies; those that are written are taken", line=other.line)
