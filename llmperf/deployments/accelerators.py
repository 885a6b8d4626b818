"""Hardware that clusters name by labels and resources, as hardware of the catalog."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmperf.deployments.deployment import Draft, printable
from llmperf.errors import InputError
from llmperf.scenarios import catalog
from llmperf.scenarios.typed import hardware_named

LABELS = (
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "cloud.google.com/gke-tpu-accelerator",
    "amd.com/gpu.product-name",
    "gpu.nvidia.com/model",
    "gpu.nvidia.com/class",
    "k8s.amazonaws.com/accelerator",
    "karpenter.k8s.aws/instance-gpu-name",
    "eks.amazonaws.com/instance-gpu-name",
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/instance-type",
    "accelerators",
    "accelerator_type",
    "--gpus-per-node",
    "--gres",
    "--gpus",
)
"""Labels of nodes that name an accelerator or a machine, the most exact first; the last are keys of SkyPilot and of
Ray, and flags of Slurm."""

RESOURCES = ("nvidia.com/gpu", "amd.com/gpu", "gpu", "habana.ai/gaudi", "google.com/tpu", "aws.amazon.com/neuron")
"""Resources that count accelerators; ``gpu`` is NVIDIA Dynamo's."""

SHARING = {
    "nvidia.com/gpu.sharing-strategy": ("none", ""),
    "nvidia.com/gpu.replicas": ("0", "1", ""),
    "cloud.google.com/gke-gpu-sharing-strategy": ("none", ""),
    "cloud.google.com/gke-max-shared-clients-per-gpu": ("0", "1", ""),
}
"""Labels that say whether a device is shared, and the values with which it is not."""
SHARED = "the GPU is shared with other pods, which use the same memory and time: a whole one is taken"
SHARES = re.compile(
    r".*\.shared|nvidia\.com/(gpumem|gpumem-percentage|gpucores|vgpu)|aliyun\.com/gpu-.*|volcano\.sh/(v?gpu-.*)"
    r"|tencent\.com/vcuda-.*|nvidia\.com/mps.*|.*/shared-gpu"
)
FRACTIONS = re.compile(r"(run\.ai/|runai/)?gpu-(fraction|memory)(-limit|-num-devices)?|(run\.ai/)?gpu-fraction.*")
"""Annotations and labels by which run.ai's scheduler gives a part of a device."""
"""Resources and annotations that ask for a part of a device: the NVIDIA device plugin, HAMi, Volcano, GPU managers."""

PRODUCTS = {
    "h100-80gb-hbm3": "h100-sxm",
    "h100-80gb": "h100-sxm",
    "h100-mega-80gb": "h100-sxm",
    "h100-nvlink-80gb": "h100-sxm",
    "h100-pcie": "h100-pcie",
    "h100-nvl": "h100-nvl",
    "h200": "h200-sxm",
    "h200-141gb": "h200-sxm",
    "h200-nvl": "h200-nvl",
    "h20": "h20",
    "h800": "h800-sxm",
    "b200": "b200-sxm",
    "b300": "b300-sxm",
    "gb200": "gb200",
    "gb300": "gb300",
    "gh200-480gb": "gh200-96gb",
    "gh200-144g-hbm3e": "gh200-144gb",
    "a100-sxm4-80gb": "a100-sxm-80gb",
    "a100-sxm4-40gb": "a100-sxm-40gb",
    "a100-80gb-pcie": "a100-pcie-80gb",
    "a100-pcie-40gb": "a100-pcie-40gb",
    "a100-80gb": "a100-sxm-80gb",
    "a100-80g": "a100-sxm-80gb",
    "a100-40g": "a100-sxm-40gb",
    "v100-32gb": "v100-sxm-32gb",
    "tesla-a100": "a100-sxm-40gb",
    "l4": "l4",
    "l40": "l40",
    "l40s": "l40s",
    "a10": "a10",
    "a10g": "a10g",
    "a30": "a30",
    "a40": "a40",
    "tesla-t4": "t4",
    "t4": "t4",
    "tesla-v100": "v100-sxm-16gb",
    "tesla-v100-sxm2-16gb": "v100-sxm-16gb",
    "tesla-v100-sxm2-32gb": "v100-sxm-32gb",
    "rtx-a6000": "rtx-a6000",
    "rtx-6000-ada-generation": "rtx-6000-ada",
    "rtx-pro-6000": "rtx-pro-6000",
    "rtx-pro-6000-blackwell-server-edition": "rtx-pro-6000",
    "amd-instinct-mi300x-oam": "mi300x",
    "amd-instinct-mi325x-oam": "mi325x",
    "amd-instinct-mi355x-oam": "mi355x",
    "tpu-v4-podslice": "tpu-v4",
    "tpu-v5-lite-podslice": "tpu-v5e",
    "tpu-v5-lite-device": "tpu-v5e",
    "tpu-v5p-slice": "tpu-v5p",
    "tpu-v6e-slice": "tpu-v6e",
}
"""Values of the labels (lower case, hyphens, without ``nvidia-``): NVIDIA GPU feature discovery, GKE accelerator types
(a3: H100 SXM, a2-ultragpu: A100 SXM 80 GB, a2-highgpu: A100 SXM 40 GB), AMD device labels."""

_MIG = re.compile(r"mig-(\d+g\.\d+gb)")
_SHARED = re.compile(r"-(shared|mig-.*)$")
_IS_SHARED = re.compile(r"-shared\s*$", re.IGNORECASE)


def product(value: str) -> str | None:
    """The hardware of the catalog that a label's value names; None where none is known."""
    plain = value.strip().lower().replace("_", "-").replace(" ", "-")
    mig = _MIG.search(plain)
    plain = _SHARED.sub("", plain).removeprefix("nvidia-").removeprefix("geforce-")
    found = PRODUCTS.get(plain)
    if found is None:
        found = next((name for form in (value.strip(), plain) if (name := _in_catalog(form))), None)
    found = found or hardware_named(plain)
    return _slice(found, mig[1]) if found and mig else found


def _in_catalog(name: str) -> str | None:
    try:
        return catalog.find("hardware", name).stem
    except InputError:
        return None


def _slice(chip: str, profile: str) -> str | None:
    """A slice of a chip by multi-instance GPU."""
    return _in_catalog(f"{chip.partition('-')[0]}-{profile}")


def settle(draft: Draft, labels: Mapping[str, list[str]], hardware: str | None, line: int | None) -> None:
    """The hardware: given by the caller, or what the labels of nodes say.

    Parameters
    ----------
    labels : mapping of str to list of str
        Values that each label of `LABELS` may have.
    """
    for label, allowed in labels.items():
        whole = SHARING.get(label)
        shared = label in LABELS and any(_IS_SHARED.search(value) for value in allowed)
        if shared or (whole and any(value.strip().lower() not in whole for value in allowed)):
            draft.say("not_modelled", label, SHARED, line=line)
    if hardware is not None:
        draft.settings["hardware"] = hardware
    for label in LABELS:
        values = labels.get(label)
        if not values:
            continue
        said = printable(", ".join(values), 100)
        if hardware is not None:
            draft.say("ignored", label, f"{said}: {hardware} is given", line=line)
            return
        found = {product(value) for value in values}
        name = found.pop() if len(found) == 1 else None
        if name is None:
            why = "are several kinds of hardware" if len(values) > 1 else "is no known hardware"
            draft.say("not_understood", label, f"{said} {why}; give it: --hardware", line=line)
            continue
        draft.settings["hardware"] = name
        draft.assume(label, f"{said} is taken as {name}", "hardware", name, line)
        return


def side_by_side(draft: Draft, used: int) -> None:
    """Several of the machine that a label names, where the deployment uses more devices than one has."""
    by_label = any(one.path == "hardware" and one.kind == "assumed" for one in draft.findings)
    name = draft.settings.get("hardware")
    if not by_label or not isinstance(name, str):
        return
    held = catalog.load("hardware", name).data.get("devices")
    if isinstance(held, int) and used > held:
        draft.settings["hardware.devices"] = None
        said = f"{-(-used // held)} or more machines of {held} devices hold the {used} that are used"
        draft.assume("hardware", said, "hardware.devices")


def sliced(draft: Draft, profile: str, resource: str) -> None:
    """The slice of a chip that a resource asks for (multi-instance GPU)."""
    chip = draft.settings.get("hardware")
    if isinstance(chip, str) and chip.rpartition("-")[2].startswith(profile.partition(".")[0]):
        return
    found = _slice(chip, profile) if isinstance(chip, str) else None
    if found is None:
        draft.settings.pop("hardware", None)
        draft.say("not_understood", resource, f"no slice {profile} of {chip or 'an unknown chip'}; give --hardware")
    else:
        draft.settings["hardware"] = found
        draft.assume(resource, f"a slice of {chip}", "hardware", found)
