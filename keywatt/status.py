"""What becomes of every reading: from the database's ledger, and the collector itself.

The database knows what is settled one way or the other, by the hour. What still waits
only the collector knows; it is asked where it serves metrics (KEYWATT_METRICS_PORT).
"""

import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from prometheus_client.parser import text_string_to_metric_families
from psycopg import Connection
from psycopg.rows import TupleRow

from keywatt.faring import Faring, load_faring
from meters.refusal import Reason
from storage.health import load_outcomes
from storage.meter_counts import load_tallies
from storage.migrate import MigrationError, pending

_WITHIN_S = 5.0
_OF_DECODED = {str(reason) for reason in Reason if reason.is_of_decoded}


@dataclass(kw_only=True, slots=True)
class Line:
    """What became of the readings of one meter, bus or transport."""

    transport: str
    bus: str | None = None
    meter: str | None = None
    stored: int = 0
    repeated: int = 0
    refused: int = 0
    undecoded: int = 0
    failed: int = 0
    waiting: int | None = None
    """None = not known: the collector cannot be asked."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Of the refused; only for a transport."""

    @property
    def answered(self) -> int:
        """What came; of what waits, it is not known what will become of it."""
        return self.stored + self.repeated + self.refused

    @property
    def decoded(self) -> int:
        """What came and could be read."""
        return self.answered - self.undecoded

    @property
    def asked(self) -> int:
        """All there is."""
        return self.answered + self.failed + (self.waiting or 0)

    @property
    def trouble(self) -> int:
        """What was asked and is not there."""
        return self.refused + self.failed

    def add(self, other: "Line") -> None:
        """Add another's numbers."""
        self.stored += other.stored
        self.repeated += other.repeated
        self.refused += other.refused
        self.undecoded += other.undecoded
        self.failed += other.failed

    def shown(self) -> dict[str, object]:
        """Lay it out for scripts."""
        names = {"transport": self.transport, "bus": self.bus, "meter": self.meter}
        return {name: text for name, text in names.items() if text is not None} | {
            "asked": self.asked,
            "answered": self.answered,
            "decoded": self.decoded,
            "stored": self.stored,
            "repeated": self.repeated,
            "refused": self.refused,
            "failed": self.failed,
            "waiting": self.waiting,
            **(
                {"reasons": self.reasons} if self.meter is None and not self.bus else {}
            ),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Collector:
    """What the running collector says of itself."""

    waiting: Mapping[str, int]
    """Readings that wait, by transport, since it started or was left them."""
    journal_bytes: int | None = None
    journal_most_bytes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """One look at the collection."""

    since: datetime
    transports: Sequence[Line]
    buses: Sequence[Line]
    meters: Sequence[Line]
    collector: Collector | None
    why_not: str | None
    """Why the collector cannot be asked, where it cannot."""
    faring: Faring

    def shown(self) -> dict[str, object]:
        """Lay it out for scripts."""
        journal = None
        if self.collector is not None and self.collector.journal_bytes is not None:
            journal = {
                "bytes": self.collector.journal_bytes,
                "most_bytes": self.collector.journal_most_bytes,
            }
        return {
            "since": self.since.isoformat(),
            "transports": [line.shown() for line in self.transports],
            "buses": [line.shown() for line in self.buses],
            "meters": [line.shown() for line in self.meters],
            "journal": journal,
            "collector": self.why_not or "answers",
            **self.faring.shown(),
        }


def look(
    conn: Connection[TupleRow],
    now: datetime,
    *,
    hours: int,
    metrics: str | None,
    speed: float = 1.0,
) -> Status:
    """Look once.

    Parameters
    ----------
    conn
        To a migrated database.
    now : datetime
        The site's time.
    hours : int
        How far to look back; the current hour counts as one.
    metrics : str or None
        host:port where the collector serves metrics.
    speed : float
        How much faster than the machine's the site's clock runs.

    Raises
    ------
    MigrationError
        The database is not set up for this release.

    """
    if missing := pending(conn):
        raise MigrationError(
            f"The database lacks {len(missing)} migrations: run keywatt migrate."
        )
    since = now - timedelta(hours=hours - 1)
    collector, why_not = ask(metrics)
    meters = [
        Line(
            transport=each.transport,
            bus=each.bus,
            meter=each.serial,
            stored=each.stored,
            repeated=each.repeated,
            refused=each.refused,
            undecoded=each.undecoded,
            failed=each.failed,
        )
        for each in load_tallies(conn, since)
    ]
    waiting = collector.waiting if collector is not None else {}
    return Status(
        since=since.replace(minute=0, second=0, microsecond=0),
        transports=_transports(conn, since, waiting),
        buses=_buses(meters),
        meters=sorted(meters, key=lambda m: (-m.trouble, m.meter)),
        collector=collector,
        why_not=why_not,
        faring=load_faring(conn, now, speed),
    )


def _transports(
    conn: Connection[TupleRow], since: datetime, waiting: Mapping[str, int]
) -> list[Line]:
    lines: dict[str, Line] = {}
    for transport, readings in waiting.items():
        lines[transport] = Line(transport=transport, waiting=readings)
    for row in load_outcomes(conn, since):
        line = lines.setdefault(row.transport, Line(transport=row.transport))
        if row.outcome in {"stored", "repeated", "failed"}:
            setattr(line, row.outcome, row.readings)
            continue
        line.refused += row.readings
        line.reasons[row.outcome] = row.readings
        if row.outcome not in _OF_DECODED:
            line.undecoded += row.readings
    return [lines[transport] for transport in sorted(lines)]


def _buses(meters: Iterable[Line]) -> list[Line]:
    buses: dict[str, Line] = {}
    for meter in meters:
        if meter.bus is not None:
            empty = Line(transport=meter.transport, bus=meter.bus)
            buses.setdefault(meter.bus, empty).add(meter)
    return sorted(buses.values(), key=lambda bus: (-bus.trouble, bus.bus))


def ask(metrics: str | None) -> tuple[Collector | None, str | None]:
    """Ask the collector what waits; return why not, where it cannot be asked."""
    if metrics is None:
        return None, "what waits is not known: set KEYWATT_METRICS_PORT for both"
    names = ("keywatt_readings_waiting", "keywatt_journal_bytes")
    wanted = [("name[]", name) for name in (*names, "keywatt_journal_most_bytes")]
    try:
        with urllib.request.urlopen(
            f"http://{metrics}/metrics?{urlencode(wanted)}", timeout=_WITHIN_S
        ) as answer:
            text = answer.read().decode()
    except (OSError, urllib.error.URLError) as exc:
        reason = getattr(exc, "reason", exc)
        said = getattr(reason, "strerror", None) or reason
        return None, f"no collector answers at {metrics} ({said})"
    waiting: dict[str, int] = {}
    journal: dict[str, int] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "keywatt_readings_waiting":
                waiting[sample.labels["transport"]] = int(sample.value)
            else:
                name = sample.name.removeprefix("keywatt_")
                journal[name] = int(sample.value)
    return Collector(waiting=waiting, **journal), None
