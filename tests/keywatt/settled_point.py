"""A point in a database, settled as the worker does."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from analytics.settlement.intervals import Intervals
from keywatt.settling import Settled, settle_point
from storage.database import connect
from storage.intervals import load_intervals
from storage.settled_days import SettledDay, load_settled_days

# 2 March 2026, 15:00 UTC is midnight in Seoul: the local 3rd of March begins.
START = datetime(2026, 3, 2, 15, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
LOAD_KW = np.array([100.0, 120.0, 80.0, 100.0, 200.0, 100.0, 100.0, 100.0])
"""25, 30, 20, 25, 50, 25, 25 and 25 kWh."""


@dataclass
class Point:
    url: str
    point_id: int
    meter_id: int

    def settle(self, now: datetime) -> Settled:
        with connect(self.url) as conn:
            return settle_point(conn, self.point_id, now)

    def intervals(self) -> Intervals:
        with connect(self.url) as conn:
            far = timedelta(days=400)
            return load_intervals(conn, self.point_id, START - far, START + far)

    def causes(self) -> list[str]:
        """Why each missing interval is missing."""
        settled = self.intervals()
        return settled.method[settled.quality == "missing"].tolist()

    def days(self) -> list[SettledDay]:
        """What the rules said."""
        with connect(self.url) as conn:
            return load_settled_days(
                conn, self.point_id, date(2026, 1, 1), date(2027, 12, 31)
            )

    def kwh(self) -> list[float]:
        return self.intervals().import_kwh.tolist()
