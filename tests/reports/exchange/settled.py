"""Settled intervals made by hand, as they come from storage."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from accounts.account import Account, Point, Sector
from meters.reading import utc_us
from reports.exchange.outgoing import Outgoing
from storage.exports import SettledRows

SETTLED = datetime(2026, 3, 20, 1, 2, 3, tzinfo=UTC)


def outgoing(
    start: datetime, kwh, *, zone="Australia/Brisbane", length_min=15, **columns
) -> Outgoing:
    """Intervals one after the other; measured where known, else missing."""
    n = len(kwh)
    values = np.full((n, 4), np.nan)
    values[:, 0] = kwh
    for at, name in enumerate(("export_kwh", "lagging_kvarh", "leading_kvarh")):
        values[:, at + 1] = columns.pop(name, np.nan)
    missing = np.isnan(values[:, 0])
    step = length_min * 60_000_000
    made = {
        "start_us": utc_us(start) + step * np.arange(n, dtype=np.int64),
        "length_min": np.full(n, length_min),
        "values": values,
        "quality": np.where(missing, "missing", "measured").astype("U9"),
        "method": np.where(missing, "no-reading", "").astype("U24"),
        "confidence": np.where(missing, 0.0, 1.0),
        "version": np.ones(n, dtype=np.int64),
        "status": np.zeros(n, dtype=np.int64),
        "settled_us": np.full(n, utc_us(SETTLED)),
    }
    return Outgoing(
        account=Account(
            account_id=1,
            code="steel",
            name="Riverside Steel & Sons",
            sector=Sector.STEEL,
            time_zone=ZoneInfo(zone),
            country="AU",
            manager="Li Wei",
            currency="AUD",
        ),
        point=Point(
            point_id=7, account_id=1, name="Main supply", contract_demand_kw=None
        ),
        serial="ST-1",
        rows=SettledRows(**(made | columns)),
    )
