"""Whom we watch: accounts, their points, and which meter sat where when."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo


class Role(StrEnum):
    """What a meter is for at its point."""

    MAIN = "main"
    CHECK = "check"
    """Counts the same supply beside the main meter."""


class Sector(StrEnum):
    """What a key account does for a living."""

    STEEL = "steel"
    COLD_STORE = "cold-store"
    HOSPITAL = "hospital"
    OFFICE = "office"
    WATER_WORKS = "water-works"
    DATA_CENTRE = "data-centre"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A customer under contract."""

    account_id: int
    code: str
    """Short stable name for command lines and addresses, such as `steel`."""
    name: str
    sector: Sector
    time_zone: ZoneInfo
    country: str
    """ISO 3166 code, for public holidays."""
    manager: str
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """Metering point: where an account's supply is measured."""

    point_id: int
    account_id: int
    name: str
    contract_demand_kw: float | None
    contract_kva: float | None = None
    """The most its transformers and its connection can carry."""
    feeds: bool = False
    """Has something that can feed the grid."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """Which meter sat at which point, from when to when."""

    installation_id: int
    point_id: int
    meter_id: int
    installed_at: datetime
    removed_at: datetime | None
    ratio: int
    """CT x PT x constant applied to register counts; 1 where set in the meter."""
    register_digits: int
    """Counts run modulo 10 ** register_digits."""
    register_resolution: float
    """kWh (kvarh) of one register count, such as 0.01."""
    role: Role = Role.MAIN
