"""What the operating system says about the processor and the memory of this machine."""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
from pathlib import Path

SYSTEM = Path("/sys/devices/system/cpu")
VENDORS = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD", "HygonGenuine": "Hygon", "0x41": "Arm", "0xc0": "Ampere"}
"""Vendor by the identification that ``/proc/cpuinfo`` gives."""


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _ask(*command: str) -> str:
    """What a command of the system prints; nothing where there is no such command."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def name() -> str:
    """The host's name as a descriptor may have it: lower case, without its domain."""
    short = platform.node().partition(".")[0].lower()
    return re.sub(r"[^a-z0-9_-]+", "-", short).strip("-")[:60] or "this-machine"


def processor() -> tuple[str, str]:
    """Vendor and model of the processor."""
    entries = _entries(_read("/proc/cpuinfo"))
    model = entries.get("model name") or entries.get("Model") or _ask("sysctl", "-n", "machdep.cpu.brand_string")
    found = VENDORS.get(entries.get("vendor_id") or entries.get("CPU implementer", ""))
    vendor = found or ("Apple" if model.startswith("Apple") else "unknown")
    return vendor, re.sub(r"\s+", " ", model or platform.processor() or platform.machine() or "unknown processor")


def _entries(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def cores() -> int:
    """Logical processors that this process may use: its affinity, and the quota of its container."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = _read("/sys/fs/cgroup/cpu.max").split()
    if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit() and int(quota[1]):
        count = min(count, max(1, math.ceil(int(quota[0]) / int(quota[1]))))
    return count


def memory() -> tuple[int, int]:
    """Main memory that this process may use, and what of it is free; zeros where the system does not say. [B]"""
    entries = _entries(_read("/proc/meminfo"))
    total = _kib(entries.get("MemTotal")) or _pages()
    free = _kib(entries.get("MemAvailable")) or total // 2
    for limit, used in (  # a container may have less than the machine
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        most = _read(limit)
        if most.isdigit() and int(most) < total:
            total = int(most)
            taken = _read(used)
            free = min(free, max(0, total - int(taken)) if taken.isdigit() else total // 2)
    return total, free


def _kib(text: str | None) -> int:
    found = re.match(r"(\d+) kB", text or "")
    return int(found.group(1)) * 1024 if found else 0


def _pages() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def last_level_cache() -> int | None:
    """Capacity of the outermost cache, all of its parts together; None where the system does not say. [B]"""
    parts: dict[tuple[int, str], int] = {}
    for index in sorted(SYSTEM.glob("cpu[0-9]*/cache/index*")):
        level, size = _read(index / "level"), re.match(r"(\d+)K", _read(index / "size"))
        if level.isdigit() and size and _read(index / "type") != "Instruction":
            parts[int(level), _read(index / "shared_cpu_list")] = int(size.group(1)) * 1024
    if parts:
        outermost = max(level for level, _ in parts)
        return sum(size for (level, _), size in parts.items() if level == outermost)
    for key in ("hw.l3cachesize", "hw.perflevel0.l2cachesize", "hw.l2cachesize"):
        text = _ask("sysctl", "-n", key)
        if text.isdigit() and int(text):
            return int(text)
    return None
