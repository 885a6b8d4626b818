"""Keys of Kubernetes objects that run pods, and what becomes of those that are not read.

Fields: kubernetes.io/docs/reference/kubernetes-api, core/v1 (PodSpec, Container), apps/v1 and batch/v1 of 1.34;
lws.sigs.k8s.io and jobset.sigs.k8s.io.
"""

from __future__ import annotations

from llmperf.deployments.deployment import Draft
from llmperf.deployments.keys import POD, Keys
from llmperf.deployments.node import Node

CLAIMED = "devices that are claimed are not read: give the layout and --hardware"

PODS = Keys(
    "a pod",
    ("containers", "initContainers", "nodeSelector", "affinity"),
    {
        ("not_understood", CLAIMED): ("resourceClaims",),
        ("ignored", POD): (
            "activeDeadlineSeconds", "automountServiceAccountToken", "dns*", "enableServiceLinks",
            "ephemeralContainers", "evictionResponders", "host*", "imagePullSecrets", "nodeName", "os", "overhead",
            "preemptionPolicy", "priority*", "readinessGates", "resources", "restartPolicy", "runtimeClassName",
            "scheduler*", "scheduling*", "securityContext", "serviceAccount*", "setHostnameAsFQDN",
            "shareProcessNamespace", "subdomain", "terminationGracePeriodSeconds", "tolerations",
            "topologySpreadConstraints", "volumes", "workloadRef",
        ),
    },
)  # fmt: skip

CONTAINERS = Keys(
    "a container",
    ("name", "image", "command", "args", "env", "envFrom", "resources.limits", "resources.requests"),
    {
        ("not_understood", CLAIMED): ("resources.claims",),
        ("ignored", POD): (
            "imagePullPolicy", "lifecycle", "*Probe", "ports", "resizePolicy", "restartPolicy*",
            "securityContext", "stdin*", "terminationMessage*", "tty", "volumeDevices", "volumeMounts", "workingDir",
        ),
    },
)  # fmt: skip

RESOURCES = Keys(
    "the resources of a container",
    (
        "nvidia.com/gpu", "amd.com/gpu", "gpu", "habana.ai/gaudi", "google.com/tpu", "aws.amazon.com/neuron",
        "nvidia.com/mig-*", "*.shared", "nvidia.com/gpumem*", "nvidia.com/gpucores", "nvidia.com/vgpu",
        "aliyun.com/gpu-*", "volcano.sh/*gpu-*", "tencent.com/vcuda-*", "nvidia.com/mps*", "*/shared-gpu",
    ),
    {
        ("ignored", "concerns the host and its network, not the accelerators"): (
            "cpu", "memory", "ephemeral-storage", "hugepages-*", "pods", "rdma/*", "*/rdma*", "*/roce*", "*/ib*",
            "vpc.amazonaws.com/*", "networking.gke.io*", "nvidia.com/hostdev*", "nvidia.com/sriov*", "*/sriov*",
            "smarter-devices/*", "devices.kubevirt.io/*", "github.com/*", "squat.ai/*",
        ),
    },
)  # fmt: skip

WORKLOADS = Keys(
    "a workload",
    (
        "replicas", "template", "parallelism", "completions", "jobTemplate", "leaderWorkerTemplate.leaderTemplate",
        "leaderWorkerTemplate.workerTemplate", "leaderWorkerTemplate.size", "replicatedJobs",
    ),
    {
        ("ignored", POD): (
            "selector", "strategy", "updateStrategy", "minReadySeconds", "revisionHistoryLimit", "paused",
            "progressDeadlineSeconds", "serviceName", "podManagementPolicy", "persistentVolumeClaimRetentionPolicy",
            "ordinals", "volumeClaimTemplates", "backoffLimit*", "maxFailedIndexes", "activeDeadlineSeconds",
            "ttlSecondsAfterFinished", "completionMode", "suspend", "manualSelector", "podFailurePolicy",
            "podReplacementPolicy", "successPolicy", "failurePolicy", "startupPolicy", "managedBy", "schedule",
            "timeZone", "startingDeadlineSeconds", "concurrencyPolicy", "successfulJobsHistoryLimit",
            "failedJobsHistoryLimit", "rolloutStrategy", "networkConfig", "network", "coordinator",
            "leaderWorkerTemplate.restartPolicy", "leaderWorkerTemplate.subGroupPolicy",
            "leaderWorkerTemplate.resizePolicy", "leaderWorkerTemplate.volumeClaimTemplates",
            "leaderWorkerTemplate.persistentVolumeClaimRetentionPolicy",
        ),
    },
)  # fmt: skip
"""Keys of ``spec`` of Deployments, StatefulSets, ReplicaSets, DaemonSets, Jobs, CronJobs, JobSets, LeaderWorkerSets."""

OBJECT = Keys("a Kubernetes object", ("apiVersion", "kind", "metadata", "spec", "status"))


def tell(draft: Draft, pod: Node, container: Node) -> None:
    """Say what became of every key of a pod, and of the container that starts a server."""
    PODS.tell(draft, pod)
    CONTAINERS.tell(draft, container)
    for section in ("limits", "requests"):
        RESOURCES.tell(draft, container.at("resources", section))
