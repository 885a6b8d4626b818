"""What became of a deployment file, on a terminal."""

from __future__ import annotations

from llmperf.deployments import Deployment, Finding
from llmperf.interfaces.console.style import console, text
from llmperf.interfaces.console.tables import bold

TITLES = {
    "not_understood": "not understood, may change the answer",
    "not_modelled": "not modelled, changes the answer",
    "assumed": "assumed",
    "understood": "understood",
    "ignored": "ignored, cannot change the answer",
}
"""Kinds of findings, what needs attention first."""


def show(deployment: Deployment) -> None:
    """Print the findings of a deployment by kind; what is ignored in one line."""
    out = console()
    data = deployment.to_dict()
    out.print(f"\n{bold(text(' '.join((data['format'], data['name']))))}, {text(data['file'])}")
    for kind, title in TITLES.items():
        found = [one for one in deployment.findings if one.kind == kind]
        if not found:
            continue
        if kind == "ignored":
            names = ", ".join(dict.fromkeys(one.to_dict()["name"] for one in found))
            out.print(f"{title}: {text(names)}")
            continue
        out.print(f"{title}:")
        for one in found:
            out.print(f"  {text(_line(one))}")


def _line(finding: Finding) -> str:
    data = finding.to_dict()
    where = f"line {data['line']}: " if data["line"] and not data["file"] else ""
    written = f"{data['name']} {data['value']}" if data["value"] else data["name"]
    became = f" -> {data['path']} {_plain(data['result'])}" if data["path"] and data["result"] is not None else ""
    said = f" ({data['message']})" if data["message"] else ""
    return f"{where}{written}{became}{said}"


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return str(value.get("name", value))
    return str(value).lower() if isinstance(value, bool) else str(value)
