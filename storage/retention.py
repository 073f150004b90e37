"""How long what is kept, and dropping what is not."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How long what is kept; as few as can be said are dropped late, none early."""

    readings_months: int = 13
    """Readings, intervals that meters counted, and counts of what was received."""
    intervals_years: int = 10
    """Settled intervals with their versions, verdicts, hours and days."""
    quarantine_months: int = 13
    """What was refused."""


SET_RETENTION = """
    SELECT set_retention(make_interval(months => %(readings_months)s),
                         make_interval(years => %(intervals_years)s),
                         make_interval(months => %(quarantine_months)s))
"""


def set_retention(conn: Connection[TupleRow], keep: Retention) -> bool:
    """Say how long what is kept from now on; return whether that is new.

    TimescaleDB's own policies follow. The caller owns the transaction.
    """
    asked = {
        "readings_months": keep.readings_months,
        "intervals_years": keep.intervals_years,
        "quarantine_months": keep.quarantine_months,
    }
    return conn.execute(SET_RETENTION, asked).fetchone() == (True,)


DROP_EXPIRED = "SELECT drop_expired(%(now)s)"
# Readings go by whole months, or by weeks: never before what files made of them.
DELETE_GIVEN = """
    DELETE FROM imported_reading
     WHERE measured_at < kept_since('readings', %(now)s) - interval '1 month'
"""


def drop_expired(conn: Connection[TupleRow], now: datetime) -> int:
    """Drop what is no longer kept; return how many partitions or chunks went.

    To be called daily, on every server: TimescaleDB's policies only know of the large
    tables. While another does it, nothing is done. The caller owns the transaction,
    which should hold nothing else: partitions that go are locked until it ends.
    """
    conn.execute(DELETE_GIVEN, {"now": now})
    row = conn.execute(DROP_EXPIRED, {"now": now}).fetchone()
    return 0 if row is None else int(row[0])
