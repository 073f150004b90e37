"""Which meters are to be collected now, and what is new about that.

The database counts every change of meters and installations. One small question tells
whether the count has moved; only then, or when a meter comes or leaves as was entered
before, is the whole list read again and compared with the one known.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

from psycopg import Connection
from psycopg.rows import TupleRow

from meters.load_profile_form import LoadProfile
from meters.meter import Meter
from meters.profile import ModbusProfile, ProfileError, load_profile
from storage.database import connect
from storage.master import load_meters, master_version, next_turn
from storage.meter_interval_store import load_starts
from storage.readings import load_gaps, load_newest

Now = Callable[[], datetime]
GAPS_SINCE = timedelta(days=7)
"""Gaps are looked for as far back: to read a meter's readings takes its time."""
_GAP_POLLS = 3.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_FUTURE = datetime(9999, 1, 1, tzinfo=UTC)
READ_AT_LEAST_EVERY_S = 300.0
"""Whatever the counter says: a database may be restored, a clock may be set back."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How one list of meters differs from the one before."""

    added: tuple[Meter, ...] = ()
    removed: tuple[Meter, ...] = ()
    """As they were."""
    changed: tuple[tuple[Meter, Meter], ...] = ()
    """Before and after; each answers where it did."""
    moved: tuple[tuple[Meter, Meter], ...] = ()
    """Before and after, at another address or over another transport."""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.added or self.removed or self.changed or self.moved)

    @property
    def gone(self) -> tuple[Meter, ...]:
        """All that is no longer as it was."""
        both = (*self.changed, *self.moved)
        return (*self.removed, *(before for before, _ in both))

    @property
    def come(self) -> tuple[Meter, ...]:
        """All that was not as it is."""
        both = (*self.changed, *self.moved)
        return (*self.added, *(after for _, after in both))

    def __str__(self) -> str:
        """Count them, for the log."""
        counts = {
            "added": len(self.added),
            "removed": len(self.removed),
            "changed": len(self.changed),
            "moved": len(self.moved),
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def compare(known: Mapping[int, Meter], wanted: Iterable[Meter]) -> Changes:
    """Return how the meters wanted differ from those known, by `meter_id`."""
    added, changed, moved = [], [], []
    left = dict(known)
    for meter in wanted:
        before = left.pop(meter.meter_id, None)
        if before is None:
            added.append(meter)
        elif before.address != meter.address:
            moved.append((before, meter))
        elif before != meter:
            changed.append((before, meter))
    return Changes(tuple(added), tuple(left.values()), tuple(changed), tuple(moved))


def _longest(meter: Meter) -> timedelta:
    """Return after how long without a reading there is a gap."""
    return timedelta(seconds=_GAP_POLLS * meter.poll_every_s)


def _memory_of(meter: Meter) -> LoadProfile | None:
    """Return how a meter keeps records of its own that can be asked for."""
    try:
        profile = load_profile(meter.profile)
    except ProfileError:
        return None
    return profile.load_profile if isinstance(profile, ModbusProfile) else None


def _gaps(
    conn: Connection[TupleRow], meter: Meter, memory: LoadProfile, since: datetime
) -> list[tuple[datetime, datetime]]:
    """Return between which readings some are missing, and intervals, too."""
    gaps = load_gaps(conn, meter.meter_id, since, _longest(meter))
    if memory.holds == "registers":
        return gaps
    length = timedelta(seconds=memory.interval_s)
    there = load_starts(conn, meter.meter_id, since - length, _FAR_FUTURE)
    return [gap for gap in gaps if not _is_covered(*gap, length, there)]


def _is_covered(
    since: datetime, until: datetime, length: timedelta, there: Collection[datetime]
) -> bool:
    """Whether the intervals of a gap are there: from that in which it begins on."""
    start = since - (since - _EPOCH) % length
    while start < until:
        if start not in there:
            return False
        start += length
    return True


class MeterWatch:
    """Looks at the database, when asked, for what is new about the meters."""

    def __init__(self, database_url: str, now: Now) -> None:
        self._url, self._now = database_url, now
        self._version: int | None = None
        self._turn: datetime | None = None
        self._read_at = 0.0
        self.meters: dict[int, Meter] = {}
        """Those known, by `meter_id`."""
        self.newest: dict[int, datetime] = {}
        """When the newest stored reading was measured, of those that came last."""
        self.gaps: dict[int, list[tuple[datetime, datetime]]] = {}
        """Between which readings some are missing, of those with a memory of their own
        that came last: what was being filled when a collector stopped."""

    def look(self) -> Changes:
        """Return what is new since the last look; it may take a moment.

        Raises
        ------
        DatabaseError, psycopg.Error
            The database cannot be asked; what is new is still so at the next look.

        """
        with connect(self._url) as conn:
            version, at = master_version(conn), self._now()
            if not self._is_due(version, at):
                return Changes()
            meters = load_meters(conn, at)
            turn = next_turn(conn, at)
            changes = compare(self.meters, meters)
            self.newest = load_newest(conn, [each.meter_id for each in changes.come])
            self.gaps = {
                meter.meter_id: _gaps(conn, meter, memory, at - GAPS_SINCE)
                for meter in changes.come
                if (memory := _memory_of(meter)) is not None
            }
        self.meters = {meter.meter_id: meter for meter in meters}
        self._version, self._turn, self._read_at = version, turn, monotonic()
        return changes

    def _is_due(self, version: int, at: datetime) -> bool:
        return (
            version != self._version
            or (self._turn is not None and at >= self._turn)
            or monotonic() - self._read_at >= READ_AT_LEAST_EVERY_S
        )
