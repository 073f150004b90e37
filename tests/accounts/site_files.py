"""Site files for tests: the handbook's example, after a change to it."""

import copy
import tomllib
from datetime import date, datetime
from pathlib import Path

from accounts.site import Site, load_site

EXAMPLE = Path(__file__).parents[2] / "docs" / "handbook" / "example-site.toml"
METER = ("accounts", 0, "points", 0, "meters", 0)
AT_METER = r"accounts\[steel\].points\[Main supply\].meters\[ST-1001\]"


def toml_of(value: object) -> str:
    """Write the inline TOML of what tomllib reads."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {toml_of(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_of, value)) + "]"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower()


def load_changed(folder: Path, change) -> Site:
    """Load the example after a change to it, from a file called site.toml."""
    entered = tomllib.loads(EXAMPLE.read_text("utf-8"))
    change(entered)
    path = folder / "site.toml"
    path.write_text(
        "\n".join(f"{key} = {toml_of(value)}" for key, value in entered.items()),
        "utf-8",
    )
    return load_site(path)


def set_in(*where: str | int, to: object):
    """Return a change that sets one key of the example."""

    def change(entered) -> None:
        for step in where[:-1]:
            entered = entered[step]
        entered[where[-1]] = to

    return change


def again(*where: str | int, **changes: object):
    """Return a change that enters the first item of a list once more."""

    def change(entered) -> None:
        for step in where:
            entered = entered[step]
        entered.append(copy.deepcopy(entered[0]) | changes)

    return change
