"""The form in which a benchmark says what it measured."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One measured figure beside the baseline of the same run."""

    name: str
    value: float
    unit: str
    baseline: float
    """The same work by the barest means, in the same unit."""
    settings: Mapping[str, object]
    server: str
    """Which server took part, with its version."""
    more: Mapping[str, object]
    """Further figures of the same run."""


def report(result: Result) -> None:
    """Print a result as one JSON object on a line."""
    line = asdict(result) | {
        "value": round(result.value, 3),
        "baseline": round(result.baseline, 3),
        "ratio": round(result.value / result.baseline, 3),
        "machine": machine(),
    }
    print(json.dumps(line))


def machine() -> dict[str, object]:
    """Describe this machine: what a reader needs to compare figures."""
    return {
        "processor": _first_value("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": os.cpu_count(),
        "memory": _first_value("/proc/meminfo", "MemTotal") or "unknown",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _first_value(file: str, key: str) -> str | None:
    path = Path(file)
    if not path.exists():
        return None
    for line in path.read_text("utf-8").splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip() == key:
            return value.strip()
    return None
