"""What the rules said of a point's local days: a row whenever that changed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite
from typing import Any

from psycopg import Connection
from psycopg.rows import TupleRow

from analytics.settlement.verdict import Status, Verdict
from meters.reading import from_utc_us, utc_us


@dataclass(frozen=True, kw_only=True, slots=True)
class SettledDay:
    """One local day of a point as it was judged."""

    local_day: date
    ends_at: datetime
    """When the day is over: before, it changes with every interval."""
    rules: str
    """Code of the rule set."""
    verdicts: tuple[Verdict, ...]
    settled_at: datetime

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """What warned or failed."""
        return tuple(one for one in self.verdicts if one.status > Status.SKIPPED)

    @property
    def worst(self) -> Status:
        """The worst of it; what was skipped broke nothing."""
        return max((one.status for one in self.broken), default=Status.PASS)


# While a day goes on, figures of what holds change with every interval: only what
# broke makes a row. Once it is over, a last one has the figures of all of it. Workers'
# clocks differ: what was said last is the newest.
STORE_DAYS = """
    INSERT INTO settled_day (
        point_id, local_day, settled_at, rules, worst, verdicts, held)
    SELECT %(point_id)s, given.local_day, greatest(%(settled_at)s, newest.settled_at),
           %(rules)s, given.worst, given.verdicts, %(held)s::jsonb -> given.held_as
      FROM jsonb_to_recordset(%(days)s::jsonb)
           AS given (local_day date, ends_at timestamptz, worst smallint,
                     verdicts jsonb, held_as int)
      LEFT JOIN LATERAL (
               SELECT * FROM settled_day AS its
                WHERE its.point_id = %(point_id)s AND its.local_day = given.local_day
                ORDER BY its.settled_at DESC LIMIT 1) AS newest ON true
     WHERE newest.local_day IS NULL
        OR newest.rules <> %(rules)s
        OR newest.verdicts <> given.verdicts
        OR (newest.settled_at < given.ends_at AND given.ends_at <= %(settled_at)s)
    ON CONFLICT (point_id, local_day, settled_at) DO UPDATE
       SET rules = excluded.rules, worst = excluded.worst,
           verdicts = excluded.verdicts, held = excluded.held
"""


def store_settled_days(
    conn: Connection[TupleRow], point_id: int, days: Sequence[SettledDay]
) -> None:
    """Store what the rules said where that is news.

    The caller owns the transaction, and has made room by storing the intervals.

    Parameters
    ----------
    conn : Connection
    point_id : int
    days
        All settled at one time, by one rule set.

    """
    if not days:
        return
    held = _Held()
    given = {
        "point_id": point_id,
        "settled_at": days[0].settled_at,
        "rules": days[0].rules,
        "days": _json(
            [
                {
                    "local_day": day.local_day.isoformat(),
                    "ends_at": day.ends_at.isoformat(),
                    "worst": int(day.worst),
                    "verdicts": [_told(one) for one in day.broken],
                    "held_as": held.place(day),
                }
                for day in days
            ]
        ),
        "held": _json(held.each),
    }
    conn.execute(STORE_DAYS, given)


class _Held:
    """What held, told once of days that were judged together."""

    def __init__(self) -> None:
        self.each: list[dict[str, object]] = []
        self._places: dict[tuple[int, ...], int] = {}

    def place(self, day: SettledDay) -> int:
        """Return where it stands for a day."""
        held = [one for one in day.verdicts if one.status <= Status.SKIPPED]
        key = tuple(map(id, held))
        if key not in self._places:
            self._places[key] = len(self.each)
            self.each.append(
                {
                    one.rule: {"status": int(one.status), "figures": _finite(one)}
                    for one in held
                }
            )
        return self._places[key]


def _told(one: Verdict) -> dict[str, object]:
    return {
        "rule": one.rule,
        "status": int(one.status),
        "start": from_utc_us(one.start_us).isoformat(),
        "stop": from_utc_us(one.stop_us).isoformat(),
        "figures": _finite(one),
    }


_json = json.JSONEncoder(check_circular=False).encode


def _finite(verdict: Verdict) -> dict[str, float | str | None]:
    """Return the figures as JSON has them: it knows no NaN."""
    return {
        name: figure if isinstance(figure, str) or isfinite(figure) else None
        for name, figure in verdict.figures.items()
    }


SELECT_DAYS = """
    SELECT DISTINCT ON (local_day) local_day, settled_at, rules, verdicts, held,
           day_begins(local_day + 1, time_zone) AS ends_at,
           day_begins(local_day, time_zone) AS begins_at
      FROM settled_day
      JOIN point USING (point_id)
      JOIN account USING (account_id)
     WHERE point_id = %(point_id)s AND local_day BETWEEN %(first)s AND %(last)s
       AND settled_at <= coalesce(%(as_of)s, 'infinity'::timestamptz)
     ORDER BY local_day, settled_at DESC
"""


def load_settled_days(
    conn: Connection[TupleRow],
    point_id: int,
    first: date,
    last: date,
    *,
    as_of: datetime | None = None,
) -> list[SettledDay]:
    """Return what the rules said of local days from first to last, by day.

    Parameters
    ----------
    conn : Connection
    point_id : int
    first, last : date
    as_of : datetime, optional
        What was said then, instead of now.

    """
    asked = {"point_id": point_id, "first": first, "last": last, "as_of": as_of}
    return [
        SettledDay(
            local_day=local_day,
            ends_at=ends_at,
            rules=rules,
            settled_at=settled_at,
            verdicts=(
                *(verdict_of(one) for one in broken),
                *(
                    Verdict(
                        rule=rule,
                        status=Status(one["status"]),
                        start_us=utc_us(begins_at),
                        stop_us=utc_us(ends_at),
                        figures=one["figures"],
                    )
                    for rule, one in held.items()
                ),
            ),
        )
        for local_day, settled_at, rules, broken, held, ends_at, begins_at in (
            conn.execute(SELECT_DAYS, asked)
        )
    ]


def verdict_of(one: dict[str, Any]) -> Verdict:  # Any: JSON
    """Return a verdict that was broken, as `verdicts` holds it."""
    return Verdict(
        rule=one["rule"],
        status=Status(one["status"]),
        start_us=utc_us(datetime.fromisoformat(one["start"])),
        stop_us=utc_us(datetime.fromisoformat(one["stop"])),
        figures=one["figures"],
    )
