"""Meter lists for tests: lines that are right unless a test says otherwise."""

from datetime import UTC, datetime
from pathlib import Path

from accounts.meter_entry import Entry
from accounts.meter_list import read_meter_list

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
LINE = {
    "account": "steel",
    "point": "Main supply",
    "serial": "A",
    "profile": "eastron-sdm630",
    "host": "192.0.2.10",
    "port": "502",
    "unit": "1",
    "installed_at": "2026-01-01T00:00:00Z",
}


def line(**changes: object) -> dict[str, str]:
    """One line; None leaves a column empty."""
    told = LINE | changes
    return {name: "" if cell is None else str(cell) for name, cell in told.items()}


def write_list(folder: Path, *lines: dict[str, str], more: str = "") -> Path:
    """Write a list whose columns are all that its lines name."""
    columns = list(dict.fromkeys(name for one in lines for name in one))
    rows = [",".join(columns)]
    rows += [",".join(one.get(name, "") for name in columns) for one in lines]
    path = folder / "meters.csv"
    path.write_text("\n".join(rows) + "\n" + more, "utf-8")
    return path


def entry(number: int = 0, **changes: object) -> Entry:
    """One entry over Modbus, stored unless it has a number."""
    told: dict[str, object] = {
        "account": "steel",
        "point": "Main supply",
        "serial": "A",
        "profile": "eastron-sdm630",
        "transport": "modbus",
        "host": "192.0.2.10",
        "port": 502,
        "unit": 1,
        "poll_every_s": 10.0,
        "installed_at": SINCE,
        "removed_at": None,
        "ratio": 1,
        "register_digits": 9,
        "register_resolution": 0.01,
        "line": number,
    }
    return Entry(**told | changes)


def entries_of(folder: Path, *lines: dict[str, str]) -> tuple[Entry, ...]:
    """Read a list in which nothing is wrong."""
    listed = read_meter_list(write_list(folder, *lines))
    assert listed.refused == ()
    return listed.entries
