"""How a file that is imported is to be understood, and what may be said of its rows.

ExchangeError        the file, the columns or the point cannot be; one sentence
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from meters.form import Form, checked
from meters.quantity import Quantity


class ExchangeError(ValueError):
    """A file cannot be imported or exported as asked; the message is one sentence."""


class Kind(StrEnum):
    """What the rows of a file are."""

    INTERVALS = "intervals"
    """Energy or mean power of each interval."""
    REGISTERS = "registers"
    """What cumulative registers showed at a moment."""


ENERGIES = ("import_kwh", "export_kwh", "lagging_kvarh", "leading_kvarh")
"""What an interval holds, in the order of the columns everywhere here."""
NETS = {
    "net_kwh": ("import_kwh", "export_kwh"),
    "net_kvarh": ("lagging_kvarh", "leading_kvarh"),
}
"""Signed columns: where the positive and where the negative of each goes."""

TO_KILO = {"Wh": 1e-3, "kWh": 1.0, "MWh": 1e3, "W": 1e-3, "kW": 1.0, "MW": 1e3}
"""Factor to kWh or kW; of reactive columns likewise."""
Unit = Literal["Wh", "kWh", "MWh", "W", "kW", "MW"]


class FileForm(Form):
    """Which column of a file is what, and in which unit, zone and convention."""

    kind: Kind = Kind.INTERVALS
    zone: ZoneInfo = ZoneInfo("UTC")
    """Of times without a zone of their own."""
    unit: Unit = "kWh"
    """Of the energy columns; a power is the mean over the interval."""
    interval_ends: bool = False
    """Whether a time names the end of its interval."""
    length_min: Annotated[int, Field(gt=0, le=24 * 60)] | None = None
    """Of an interval; None = as the times say. [min]"""
    columns: dict[str, str] = Field(default_factory=dict)
    """Column of each role; none = those of a file that Keywatt exported."""
    where: dict[str, str] = Field(default_factory=dict)
    """Only rows with this text in that column."""
    time_format: str | None = None
    """As in strptime, where the times cannot be recognised."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] | None = None

    @model_validator(mode="after")
    def _understood(self) -> Self:
        known = ("time", *self.roles_of(self.kind))
        for role in self.columns:
            if role not in known:
                raise ValueError(f"there is no {role}; there are: {', '.join(known)}")
        if self.columns and "time" not in self.columns:
            raise ValueError("which column is the time? Give time=NAME")
        for net, parts in NETS.items():
            twice = [one for one in parts if one in self.columns]
            if net in self.columns and twice:
                raise ValueError(f"{net} and {twice[0]} fill the same energy")
        if self.is_power and self.kind is Kind.REGISTERS:
            raise ValueError(f"a register counts energy and not {self.unit}")
        return self

    @property
    def is_power(self) -> bool:
        """Whether the energy columns hold mean power."""
        return not self.unit.endswith("h")

    @staticmethod
    def roles_of(kind: Kind) -> tuple[str, ...]:
        """Name what a column may hold, apart from the time."""
        if kind is Kind.REGISTERS:
            return tuple(Quantity)
        return (*ENERGIES, *NETS)


def make_form(entered: dict[str, object], source: str) -> FileForm:
    """Check what was said of a file.

    Raises
    ------
    ExchangeError
        Naming `source`, the key and the reason.

    """
    return checked(FileForm.model_validate, entered, source, ExchangeError)


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that cannot be taken."""

    file: str
    place: int
    """Line of a text file, row of a Parquet file; from 1."""
    text: str
    """One sentence."""
    at: str = "line"

    def told(self) -> str:
        """Name it and say why."""
        return f"{self.file}, {self.at} {self.place}: {self.text}"


@dataclass(frozen=True, slots=True)
class Found:
    """Something about a file that whoever imports it must know."""

    code: str
    text: str
