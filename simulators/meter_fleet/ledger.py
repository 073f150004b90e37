"""What every meter gave: the truth that a collector's database is held against.

A row is one reading that a meter gave. It is `certain` once the meter knows that it has
arrived: over MQTT when the broker has confirmed it; over Modbus when the meter is asked
again over the same connection, for a collector asks again only after it has taken what
came before. An answer that went into a connection which then broke is `doubtful`: it
may have arrived or not. What a meter said while a fault misled it is `refusable`: it
may be stored or refused, but not both, and not twice.

Rows are kept by the column and go to a Parquet file a chunk at a time, so that hours of
ten thousand meters need little memory.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from meters.meter import Transport
from simulators.meter_fleet.faults import Fault
from simulators.meter_fleet.meter import LightMeter, is_misleading

if TYPE_CHECKING:
    from simulators.meter_fleet.ledger_file import LedgerWriter

NO_TIME = -(1 << 62)
"""Measured time of a reading whose meter has no clock."""


class Standing(IntEnum):
    """How sure it is that a reading has arrived."""

    CERTAIN = 0
    DOUBTFUL = 1
    REFUSABLE = 2


class Given(NamedTuple):
    """One reading that a meter gave."""

    meter: LightMeter
    measured_ms: int
    """By the meter's clock; `NO_TIME` where it has none."""
    given_ms: int
    """When the last byte was sent, or the broker's confirmation came."""
    registers: Sequence[float]
    """In the order of `REGISTERS`, as a collector decodes them; NaN = not given."""
    faults: Sequence[Fault]


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What a ledger holds, in readings."""

    given: dict[str, dict[str, int]]
    """By transport and standing."""
    withheld: dict[str, int]
    """What faults kept or spoilt, by fault: answers, messages or readings."""


class Ledger:
    """Counts always, and keeps the rows where it is given a file."""

    def __init__(self, meters: Sequence[LightMeter], file: Path | None = None) -> None:
        self._meters = [(meter.serial, meter.has_clock) for meter in meters]
        self._file = file
        self._writer: LedgerWriter | None = None
        self._counts: Counter[tuple[Transport, Standing]] = Counter()
        self.withheld: Counter[Fault] = Counter()

    def __enter__(self) -> Self:
        """Begin the file."""
        if self._file is not None:
            # A third of a second to import, and only with a file.
            from simulators.meter_fleet.ledger_file import LedgerWriter  # noqa: PLC0415

            self._writer = LedgerWriter(self._file, self._meters)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is left and close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def enter(self, given: Given, standing: Standing) -> None:
        """Add one reading."""
        if standing is Standing.CERTAIN and is_misleading(given.faults):
            standing = Standing.REFUSABLE
        self._counts[given.meter.transport, standing] += 1
        if self._writer is not None:
            self._writer.append(
                given.meter.index,
                (given.measured_ms, given.given_ms),
                given.registers,
                standing,
                given.faults,
            )

    def summary(self) -> Summary:
        """Return what it holds so far."""
        given = {
            str(transport): {
                standing.name.lower(): self._counts[transport, standing]
                for standing in Standing
            }
            for transport in Transport
        }
        withheld = {str(fault): n for fault, n in sorted(self.withheld.items())}
        return Summary(given=given, withheld=withheld)
