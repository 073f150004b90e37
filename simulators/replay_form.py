"""How a measured file is to be understood: on the command line, or in `FILE.toml`.

Errors: `ReplayError`, one sentence naming the file, the key and the reason.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from meters.quantity import Quantity
from simulators.simulator_error import SimulatorError

ENERGY_OF_POWER = {
    Quantity.ACTIVE_POWER_KW: (
        Quantity.ENERGY_IMPORT_KWH,
        Quantity.ENERGY_EXPORT_KWH,
    ),
    Quantity.REACTIVE_POWER_KVAR: (
        Quantity.ENERGY_LAGGING_KVARH,
        Quantity.ENERGY_LEADING_KVARH,
    ),
}
"""Registers into which a mean power goes: where positive, where negative."""


class ReplayError(SimulatorError):
    """The file cannot be replayed; one sentence says why."""


def _replayable(quantity: Quantity) -> bool:
    return quantity.is_register or quantity in ENERGY_OF_POWER


class ReplayForm(BaseModel):
    """Which column of a file is what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time: str
    """Column with the time of each interval."""
    stamp: Literal["start", "end"] = "start"
    """Which end of the interval the time names."""
    zone: ZoneInfo = ZoneInfo("UTC")
    """Of times without a zone of their own."""
    time_format: str | None = None
    """As in strptime, for times that are not ISO 8601."""
    step_min: Annotated[int, Field(gt=0, le=24 * 60)] = 15
    """Length of an interval. [min]"""
    columns: Annotated[dict[Quantity, str], Field(min_length=1)]
    """Column of each quantity: a register's is energy per interval, a power's the mean
    over the interval, where negative active power is export and negative reactive
    power is leading. In the quantity's unit."""
    where: dict[str, str] = {}
    """Only rows with this text in that column."""

    @model_validator(mode="after")
    def _each_register_once(self) -> Self:
        filled: set[Quantity] = set()
        for quantity in self.columns:
            if not _replayable(quantity):
                known = ", ".join(q for q in Quantity if _replayable(q))
                raise ValueError(f"{quantity} cannot be replayed, only {known}")
            for register in ENERGY_OF_POWER.get(quantity, (quantity,)):
                if register in filled:
                    raise ValueError(f"two columns fill {register}")
                filled.add(register)
        return self


def make_form(entered: dict[str, object], source: str) -> ReplayForm:
    """Check what was entered in a file or on the command line.

    Raises
    ------
    ReplayError
        Naming `source`, the key and the reason.

    """
    try:
        return ReplayForm.model_validate(entered)
    except ValidationError as exc:
        first = exc.errors()[0]
        key = ".".join(str(step) for step in first["loc"] if step != "[key]")
        reason = {"missing": "missing", "extra_forbidden": "unknown key"}.get(
            first["type"], first["msg"].removeprefix("Value error, ")
        )
        raise ReplayError(f"{source}: {key + ': ' if key else ''}{reason}.") from None


def form_beside(file: Path) -> dict[str, object]:
    """Read `FILE.toml` beside a file; nothing where there is none.

    Raises
    ------
    ReplayError
        If it is not TOML.

    """
    path = file.with_name(f"{file.name}.toml")
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except ValueError as exc:
        raise ReplayError(f"{path}: not a TOML file: {exc}.") from None
