"""One meter's time at one point, as a line of a meter list or as it is stored."""

from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter

from meters.quantity import REGISTERS

PARTICULARS = (
    "profile",
    "transport",
    "framing",
    "host",
    "port",
    "device",
    "baud_rate",
    "parity",
    "stop_bits",
    "unit",
    "poll_every_s",
)
"""What holds for a meter, wherever it sits; `meters.meter` says what each is."""
_particulars = attrgetter(*PARTICULARS)


Noted = tuple[int | None, ...]
"""Counts of the registers, in the order of `meters.quantity.REGISTERS`."""
NOT_NOTED: Noted = (None,) * len(REGISTERS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One meter with its present profile and connection, and one installation of it."""

    account: str
    """Its code."""
    point: str
    serial: str
    profile: str
    transport: str
    framing: str = "tcp"
    host: str | None = None
    port: int | None = None
    device: str | None = None
    baud_rate: int = 9600
    parity: str = "none"
    stop_bits: int = 1
    unit: int | None = None
    poll_every_s: float
    """How often it is asked; how often it publishes, over MQTT."""
    installed_at: datetime
    removed_at: datetime | None
    ratio: int
    register_digits: int
    register_resolution: float
    role: str = "main"
    """Or "check"."""
    opening: Noted = NOT_NOTED
    """What the display showed when it came."""
    closing: Noted = NOT_NOTED
    """What it showed when it left."""
    says_notes: bool = field(default=True, compare=False)
    """False: of a list that has no column for them; what is known stays."""
    line: int = 0
    """Where it stands in the list; 0 = it is what is stored."""
    new_point: bool = False
    """Whether the point may be made."""

    @property
    def place(self) -> tuple[str, str]:
        """Where it sits, or sat: account and point."""
        return self.account, self.point

    @property
    def seat(self) -> tuple[str, str, str]:
        """What one meter at a time can take: a role at a place."""
        return self.account, self.point, self.role

    @property
    def bus(self) -> str | None:
        """Where its bus is; None where it speaks by itself."""
        if self.device is not None:
            return self.device
        return None if self.host is None else f"{self.host}:{self.port}"

    @property
    def manner(self) -> tuple[str, int, str, int]:
        """How its bus is spoken to: the same for all meters there."""
        return self.framing, self.baud_rate, self.parity, self.stop_bits

    @property
    def address(self) -> str | None:
        """Where it answers; None where it speaks by itself."""
        return None if self.bus is None else f"{self.bus}/{self.unit}"

    @property
    def particulars(self) -> tuple[object, ...]:
        """What holds for the meter, wherever it sits."""
        told: tuple[object, ...] = _particulars(self)
        return told

    @property
    def terms(self) -> tuple[object, ...]:
        """What holds for this installation."""
        return (self.removed_at, self.opening, self.closing, *self.course)

    @property
    def course(self) -> tuple[object, ...]:
        """What bears on all of its time."""
        return (
            self.seat,
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
