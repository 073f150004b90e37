"""The campaign through the database: written, settled by the month, read again."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from analytics.settlement.intervals import Intervals
from analytics.settlement.verdict import Verdict
from benchmarks.campaign.collected import Collected
from benchmarks.campaign.plants import CALENDAR, FIRST_DAY
from keywatt.settling import settle_point
from meters.reading import ReadingBatch, utc_us
from storage.database import connect, connect_async
from storage.intervals import load_intervals
from storage.reading_store import write_batch
from storage.readings import load_readings
from storage.settled_days import load_settled_days

STAGE_DAYS = 30
"""What has come by the end of so many days is written, and settled then."""
_ROWS = 5000
_LATER = timedelta(days=2)
"""After the last day, when all that comes has come."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Known:
    """What the database knows of a point in the end."""

    readings: ReadingBatch
    """By measured time."""
    intervals: Intervals
    verdicts: tuple[Verdict, ...]
    """Of all rules that broke."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """The campaign's time."""

    start: datetime
    stop: datetime
    days: int

    @classmethod
    def of(cls, days: int) -> "Span":
        """Begin on the first day."""
        last = FIRST_DAY + timedelta(days=days - 1)
        start, stop = CALENDAR.day_bounds(FIRST_DAY)[0], CALENDAR.day_bounds(last)[1]
        return cls(start=start, stop=stop, days=days)

    def stages(self) -> Iterator[tuple[datetime, datetime]]:
        """Yield from when to when what comes is written before it is settled."""
        since = self.start - _LATER
        for day in range(STAGE_DAYS, self.days, STAGE_DAYS):
            until = CALENDAR.day_bounds(FIRST_DAY + timedelta(days=day))[0]
            yield since, until
            since = until
        yield since, self.stop + _LATER


def write_and_settle(
    url: str,
    collected: Sequence[Collected],
    point_ids: Sequence[int],
    span: Span,
    on_step: Callable[[str, float], None],
) -> int:
    """Write what was collected and settle it, stage by stage; return the repeats."""
    repeated = 0
    stages = list(span.stages())
    for number, (since, until) in enumerate(stages):
        for place, each in enumerate(collected):
            repeated += asyncio.run(_write(url, each, since, until))
            on_step("written", (number + (place + 1) / len(collected)) / len(stages))
        with connect(url) as conn:
            conn.execute("ANALYZE reading")
            conn.commit()
            for place, point_id in enumerate(point_ids):
                settle_point(conn, point_id, until)
                share = (place + 1) / len(point_ids)
                on_step("settled", (number + share) / len(stages))
    return repeated


async def _write(
    url: str, collected: Collected, since: datetime, until: datetime
) -> int:
    """Write what came in a time; return how much of it was there already."""
    repeated = 0
    async with await connect_async(url) as conn:
        for origin, batch, refusals in collected.received(utc_us(since), utc_us(until)):
            order = np.argsort(batch.received_us, kind="stable")
            for at in range(0, max(len(batch), 1), _ROWS):
                written = await write_batch(
                    conn,
                    batch[order[at : at + _ROWS]],
                    transport=origin.transport,
                    source=origin.source,
                    # With the first rows, as the writer takes them together.
                    refusals=refusals if at == 0 else [],
                )
                repeated += written.repeated
    return repeated


def load_known(url: str, point_id: int, meter_id: int, span: Span) -> Known:
    """Read what is stored of a point."""
    last = FIRST_DAY + timedelta(days=span.days - 1)
    with connect(url) as conn:
        days = load_settled_days(conn, point_id, FIRST_DAY, last)
        return Known(
            readings=load_readings(conn, meter_id, span.start, span.stop),
            intervals=load_intervals(conn, point_id, span.start, span.stop),
            verdicts=tuple(one for day in days for one in day.broken),
        )
