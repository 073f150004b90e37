"""How a measured file is to be understood: on the command line, or in `FILE.toml`.

Errors: `ReplayError`, one sentence naming the file, the key and the reason.
"""

from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from meters.form import Form, checked, read_toml
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


class ReplayForm(Form):
    """Which column of a file is what."""

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
    where: dict[str, str] = Field(default_factory=dict)
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
    return checked(ReplayForm.model_validate, entered, source, ReplayError)


def form_beside(file: Path) -> dict[str, object]:
    """Read `FILE.toml` beside a file; nothing where there is none.

    Raises
    ------
    ReplayError
        If it cannot be read or is not TOML.

    """
    path = file.with_name(f"{file.name}.toml")
    return read_toml(path, ReplayError) if path.is_file() else {}
