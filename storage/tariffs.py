"""Which tariff an account was under, and when."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.tariff import Tariff


@dataclass(frozen=True, kw_only=True, slots=True)
class TariffHeld:
    """A tariff and the time in which it held, [start, stop)."""

    tariff: Tariff
    version: int
    start: datetime
    stop: datetime


SELECT_TARIFFS = """
    SELECT definition, version, greatest(valid_from, %(start)s),
           least(coalesce(valid_to, 'infinity'), %(stop)s)
      FROM contract JOIN tariff USING (tariff_id)
     WHERE account_id = %(account_id)s
       AND valid_from < %(stop)s AND coalesce(valid_to > %(start)s, true)
     ORDER BY valid_from
"""


def load_tariffs(
    conn: Connection[TupleRow], account_id: int, start: datetime, stop: datetime
) -> list[TariffHeld]:
    """Return the tariffs that held in [start, stop), each cut to it, by time.

    A version of a tariff is never changed, and a new one never holds for the past: what
    is returned for a time that is over stays the same.
    """
    asked = {"account_id": account_id, "start": start, "stop": stop}
    return [
        TariffHeld(
            tariff=Tariff.model_validate(definition),
            version=version,
            start=since,
            stop=until,
        )
        for definition, version, since, until in conn.execute(SELECT_TARIFFS, asked)
    ]
