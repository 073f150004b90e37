"""Which lines of a meter list cannot stand beside what else is there. Pure.

There is place for one meter at a point and at an address, and a meter is at one point:
whoever comes second in the list, or comes where a stored meter stays, is refused.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime

from accounts.meter_entry import PARTICULARS, Entry, Refused

_MANNER = ("framing", "baud_rate", "parity", "stop_bits")

Key = Callable[[Entry], Hashable | None]


def refuse_clashes(
    lines: Iterable[Entry], fixed: Iterable[Entry], now: datetime
) -> list[Refused]:
    """Return the lines that cannot stand, in the order of the list.

    Parameters
    ----------
    lines : iterable of Entry
        In the order of the list: of two that exclude each other, the first stands.
    fixed : iterable of Entry
        What the list leaves as it is stored.
    now : datetime
        Only who is there later than that needs an address of its own: the address is
        the meter's present one, wherever it sat before.

    """
    places = _Places(now)
    for entry in fixed:
        places.take(entry)
    refused = []
    for line in lines:
        fault = places.fault(line)
        if fault is None:
            places.take(line)
        else:
            column, text = fault
            refused.append(
                Refused(line=line.line, column=column, serial=line.serial, text=text)
            )
    return refused


class _Places:
    """Who is where."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._of_serial: dict[Hashable, list[Entry]] = defaultdict(list)
        self._at_point: dict[Hashable, list[Entry]] = defaultdict(list)
        self._at_address: dict[Hashable, list[Entry]] = defaultdict(list)
        self._on_bus: dict[Hashable, list[Entry]] = defaultdict(list)

    def take(self, entry: Entry) -> None:
        """Let an entry have its place."""
        self._of_serial[entry.serial].append(entry)
        self._at_point[entry.seat].append(entry)
        if entry.address is not None and entry.there_after(self._now):
            self._at_address[entry.address].append(entry)
            on_bus = self._on_bus[entry.bus]
            if all(other.manner != entry.manner for other in on_bus):
                on_bus.append(entry)

    def fault(self, line: Entry) -> tuple[str, str] | None:
        """Return column and sentence of why a line cannot have its place."""
        return (
            self._fault_of_serial(line)
            or self._fault_at_point(line)
            or self._fault_at_address(line)
            or self._fault_on_bus(line)
        )

    def _fault_of_serial(self, line: Entry) -> tuple[str, str] | None:
        for other in self._of_serial[line.serial]:
            if other.overlaps(line):
                return "serial", (
                    f"{line.serial} is {_where(other)} already, at the same time; a"
                    " meter that moved has a removed_at where it was."
                )
            if other.line and other.particulars != line.particulars:
                pairs = zip(
                    PARTICULARS, other.particulars, line.particulars, strict=True
                )
                name = next(name for name, was, is_ in pairs if was != is_)
                return name, (
                    f"is not what it is on line {other.line} for the same meter"
                    f" {line.serial}; a meter that moved has its present profile and"
                    " connection on each of its lines."
                )
        return None

    def _fault_at_point(self, line: Entry) -> tuple[str, str] | None:
        other = _who(line, self._at_point[line.seat])
        if other is None:
            return None
        kind = "" if line.role == "main" else f"{line.role} "
        return "point", (
            f"{kind}meter {other.serial} ({_where(other)}) is at point {line.point} of"
            f" account {line.account} at the same time; {_remedy(other)}."
        )

    def _fault_at_address(self, line: Entry) -> tuple[str, str] | None:
        if line.address is None or not line.there_after(self._now):
            return None
        other = _who(line, self._at_address[line.address])
        if other is None:
            return None
        return "host" if line.device is None else "device", (
            f"meter {other.serial} ({_where(other)}, account {other.account}) is at"
            f" {line.address} at the same time; {_remedy(other)}, or this one another"
            " address."
        )

    def _fault_on_bus(self, line: Entry) -> tuple[str, str] | None:
        """Refuse who would have its bus spoken to in another way than others."""
        if line.bus is None or not line.there_after(self._now):
            return None
        others = (o for o in self._on_bus[line.bus] if o.serial != line.serial)
        other = next((o for o in others if o.manner != line.manner), None)
        if other is None:
            return None
        pairs = zip(_MANNER, line.manner, other.manner, strict=True)
        column, mine, theirs = next(pair for pair in pairs if pair[1] != pair[2])
        return column, (
            f"is {mine}, but {theirs} for meter {other.serial} ({_where(other)}) at"
            f" {line.bus}; all meters there need the same."
        )


def _who(line: Entry, there: Iterable[Entry]) -> Entry | None:
    """Return another meter that is there at the same time."""
    return next(
        (each for each in there if each.serial != line.serial and each.overlaps(line)),
        None,
    )


def _where(entry: Entry) -> str:
    return f"on line {entry.line}" if entry.line else "in the database"


def _remedy(other: Entry) -> str:
    if other.line:
        return "give that one an earlier removed_at"
    return "list that one with its removed_at, or apply with --remove-missing"
