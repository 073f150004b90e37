"""A mill whose day lacks readings, settled by the worker: for tests of completeness."""

from datetime import timedelta

import numpy as np
import pytest

from storage.database import connect
from tests.fix_seeded_accounts import add_account
from tests.keywatt.settled_point import LOAD_KW, QUARTER, START, Point
from tests.registers import part, readings_of, write

NOW = START + 8 * QUARTER + timedelta(minutes=1)
LATER = START + timedelta(days=1, hours=1)
GAP = START + 3 * QUARTER
"""45 minutes after midnight in Seoul, on the 3rd of March."""
ADDRESS = {"account": "mill", "point": "Main supply", "day": "2026-03-03"}


@pytest.fixture
def mill(database: str) -> Point:
    """Boundaries 3 and 4 were not read: 95 kWh are shared out over three intervals."""
    with connect(database) as conn:
        seeded = add_account(conn, "mill", name="Paper Mill", read_at=None)
        conn.execute(
            "INSERT INTO quarantine (received_at, transport, source, meter_id, reason,"
            ' "text", readings, raw)'
            " VALUES (%s, 'mqtt', 'mill <b>', %s, 'not-json', 'Not JSON.', 1, '')",
            (GAP + timedelta(minutes=2), seeded.meter_id),
        )
    point = Point(database, seeded.point_id, seeded.meter_id)
    every = readings_of(point.meter_id, START, LOAD_KW)
    write(point.url, part(every, np.array([0, 1, 2, 5, 6, 7, 8])))
    point.settle(NOW)
    return point
