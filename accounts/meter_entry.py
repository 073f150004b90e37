"""One meter's time at one point, as a line of a meter list or as it is stored."""

from dataclasses import dataclass
from datetime import datetime

Particulars = tuple[str, str, str | None, int | None, int | None, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One meter with its present profile and connection, and one installation of it."""

    account: str
    """Its code."""
    point: str
    serial: str
    profile: str
    transport: str
    host: str | None
    port: int | None
    unit: int | None
    poll_every_s: float
    """How often it is asked; how often it publishes, over MQTT."""
    installed_at: datetime
    removed_at: datetime | None
    ratio: int
    register_digits: int
    register_resolution: float
    line: int = 0
    """Where it stands in the list; 0 = it is what is stored."""
    new_point: bool = False
    """Whether the point may be made."""

    @property
    def place(self) -> tuple[str, str]:
        """Where it sits, or sat: account and point."""
        return self.account, self.point

    @property
    def address(self) -> tuple[str, int | None, int | None] | None:
        """Where it answers; None where it speaks by itself."""
        return None if self.host is None else (self.host, self.port, self.unit)

    @property
    def particulars(self) -> Particulars:
        """What holds for the meter, wherever it sits."""
        return (
            self.profile,
            self.transport,
            self.host,
            self.port,
            self.unit,
            self.poll_every_s,
        )

    @property
    def terms(self) -> tuple[object, ...]:
        """What holds for this installation."""
        return (
            self.place,
            self.removed_at,
            self.ratio,
            self.register_digits,
            self.register_resolution,
        )

    def overlaps(self, other: "Entry") -> bool:
        """Whether both are there at one time."""
        return _before(self.installed_at, other.removed_at) and _before(
            other.installed_at, self.removed_at
        )

    def there_after(self, now: datetime) -> bool:
        """Whether it is there at some time from now on."""
        return _before(now, self.removed_at)


def _before(moment: datetime, end: datetime | None) -> bool:
    return end is None or moment < end


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A line that is not applied, and why."""

    line: int
    column: str | None
    """None where the whole line is meant."""
    serial: str | None
    """As it was entered; None where it cannot be told."""
    text: str
    """A sentence that follows the column's name."""

    def told(self, source: object) -> str:
        """Say it with its place."""
        where = f"{source}, line {self.line}"
        return (
            f"{where}, {self.column}: {self.text}"
            if self.column
            else (f"{where}: {self.text}")
        )
