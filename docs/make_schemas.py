"""Writes the JSON Schemas of this folder from the nouns: `python docs/make_schemas.py`. A test holds them current."""

import json
from pathlib import Path
from typing import Any

from edgeq.nouns.bundle import Manifest
from edgeq.nouns.data import DataUse
from edgeq.nouns.data_check import DataSeen
from edgeq.nouns.delivery import Delivery, Removal
from edgeq.nouns.device import Facts
from edgeq.nouns.diagnosis import Diagnosis
from edgeq.nouns.export import Exported
from edgeq.nouns.fidelity import BetweenRuntimes, Fidelity
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.model import Model
from edgeq.nouns.plan import Plan
from edgeq.nouns.release import App, Rollback
from edgeq.nouns.report import Choice, DeviceCheck, RaceReport
from edgeq.nouns.results import DeviceReport, Explained, Reported
from edgeq.nouns.service import ServiceChange, ServiceStatus
from edgeq.nouns.target import Target
from edgeq.nouns.tradeoff import Tradeoff
from edgeq.nouns.verification import Verification
from edgeq.report.schema import DIALECT, document, schema_of

_CONVERSION = {
    "path": str,
    "digest": str,
    "manifest": Manifest,
    "model": Model,
    "plan": Plan,
    "data": DataUse | None,
    "fidelity": tuple[Fidelity, ...],
    "between_runtimes": BetweenRuntimes | None,
    "tradeoff": Tradeoff | None,
    "seconds": float,
    "reused": bool,
}

# What each command prints with --json. A dict stands for an object with these keys.
DOCUMENTS: dict[str, Any] = {
    "convert": _CONVERSION,
    "deploy": {
        "conversion": _CONVERSION,
        "device": Facts,
        "app": App | None,
        "changed": bool,
        "previous": str | None,
        "delivery": Delivery | None,
        "race": RaceReport | None,
        "checks": tuple[DeviceCheck, ...],
        "choice": Choice | None,
        "tradeoff": Tradeoff | None,
        "measurement": str | None,
        "load_lines": tuple[str, ...],
        "exit_code": int,
    },
    "explain": Explained,
    "export": Exported,
    "data": DataSeen,
    "verify": Verification,
    "bench": {"races": tuple[RaceReport, ...], "measurements": tuple[str, ...]},
    "report": Reported,
    "status": DeviceReport,
    "rollback": Rollback,
    "doctor": Diagnosis,
    "uninstall": Removal,
    "agent-install": ServiceChange,
    "agent-status": ServiceStatus,
    "agent-uninstall": ServiceChange,
    "targets": {"targets": tuple[Target, ...]},
    "targets-show": Target,
    "targets-check": {"ok": bool, "target": Target},
    "error": {
        "error": {
            "kind": str,
            "what": str,
            "remedy": str | None,
            "details": tuple[str, ...],
            "live": str | None,
            "exit_code": int,
        }
    },
}


def files() -> dict[str, str]:
    """File name to content."""
    return {
        "measurement.schema.json": _text(document("edgeq measurement, schema 1", Measurement)),
        "documents.schema.json": _text(_documents()),
    }


def _documents() -> dict[str, Any]:
    """One file for all commands: validate against `#/$defs/<command>`."""
    definitions: dict[str, Any] = {}
    for name, hint in DOCUMENTS.items():
        definitions[name] = schema_of(hint, definitions)
    return {
        "$schema": DIALECT,
        "title": "what edgeq's commands print with --json",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in DOCUMENTS],
        "$defs": dict(sorted(definitions.items())),
    }


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, text in files().items():
        (Path(__file__).parent / name).write_text(text, encoding="utf-8")
