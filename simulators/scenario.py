"""What has happened to the demo's plants so far, kept from one start to the next.

A meter's registers carry every past fault for ever: a demo that forgot one would see
its registers jump. So the scenario is written to a file, and read at the next start.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter, ValidationError

from simulators.faults import Fault, FaultKind
from simulators.fleet import demo_calendar
from simulators.simulator_error import SimulatorError


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """From when on plants run, and what goes wrong at them."""

    epoch: date
    """Local day with which the plants and their registers begin."""
    faults: tuple[Fault, ...] = ()

    def goes_on(self, now: datetime, new_faults: Sequence[Fault] = ()) -> Self:
        """End what still went on at the last stop, and begin what is asked for now."""
        ended = (
            fault if fault.ends_at is not None else replace(fault, ends_at=now)
            for fault in self.faults
        )
        return replace(self, faults=(*ended, *new_faults))

    def save(self, file: Path) -> None:
        """Write it for the next start."""
        file.write_bytes(_SCENARIO.dump_json(self, indent=2))


_SCENARIO = TypeAdapter(Scenario)


def load_scenario(file: Path) -> Scenario | None:
    """Read what an earlier start has saved; None if there was none.

    Raises
    ------
    SimulatorError
        If the file is not what `save` writes.

    """
    try:
        return _SCENARIO.validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        raise SimulatorError(
            f"{file} cannot be read; remove it together with the demo's database to "
            "start afresh."
        ) from None


def first_scenario(
    now: datetime, *, days: int = 60, new_faults: Sequence[Fault] = ()
) -> Scenario:
    """Begin a demo: some past deviations are over, one goes on for some hours.

    Parameters
    ----------
    now : datetime
        Of the first start, aware.
    days : int
        Of history before today.
    new_faults : sequence of Fault
        What was asked for.

    """
    calendar = demo_calendar()
    today = calendar.local_day(now)
    midnight = calendar.day_bounds(today)[0]
    hour = timedelta(hours=1)

    def past(kind: FaultKind, account: str, starts_at: datetime, hours: float) -> Fault:
        ends_at = starts_at + hours * hour
        return Fault(kind=kind, account=account, starts_at=starts_at, ends_at=ends_at)

    happened = (
        past(FaultKind.STUCK_ON, "office", midnight - 28 * hour, 9),
        past(FaultKind.OUTAGE, "rolling-mill", _last_workday(now) + 9 * hour, 3),
        past(FaultKind.STUCK_ON, "science-park", midnight - 2 * hour, 5),
        # Flat day and night, and so much that even a band of twice the usual width is
        # left: seen at whatever hour of whatever day one starts.
        past(FaultKind.OUTAGE, "data-centre", now - 3 * hour, 9),
    )
    begun = tuple(fault for fault in happened if fault.starts_at < now)
    epoch = today - timedelta(days=days)
    return Scenario(epoch=epoch, faults=(*begun, *new_faults))


def _last_workday(now: datetime) -> datetime:
    """Return the start of the last working day before today."""
    calendar = demo_calendar()
    day = calendar.local_day(now) - timedelta(days=1)
    while calendar.day_type(day).value != "workday":
        day -= timedelta(days=1)
    return calendar.day_bounds(day)[0]
