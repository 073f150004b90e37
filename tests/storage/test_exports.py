from datetime import timedelta

import numpy as np

from storage.database import connect
from storage.exports import load_settled
from storage.interval_store import store_intervals
from tests.fix_timescale import Store
from tests.storage_data import NOON, QUARTER, intervals

FIRST = NOON + timedelta(days=1)
THEN = FIRST + timedelta(days=1)


def test_all_that_is_known_is_loaded(store: Store) -> None:
    settled = intervals([1.5, np.nan, 3.141592])
    settled.quality[2], settled.method[2] = "estimated", "linear"
    settled.method[1] = "no-reading"
    with connect(store.url) as conn:
        store_intervals(conn, 1, settled, settled_at=FIRST)
        rows = load_settled(conn, 1, NOON, NOON + 3 * QUARTER)
        assert len(load_settled(conn, 1, NOON, NOON)) == 0
        assert len(load_settled(conn, 2, NOON, NOON + QUARTER)) == 0
    np.testing.assert_array_equal(rows.start_us, settled.start_us)
    np.testing.assert_array_equal(rows.values[:, 0], [1.5, np.nan, 3.141592])
    np.testing.assert_array_equal(rows.values[:, 2], [0.75, np.nan, 1.570796])
    assert rows.quality.tolist() == ["measured", "missing", "estimated"]
    assert rows.method.tolist() == ["", "no-reading", "linear"]
    assert rows.length_min.tolist() == [15, 15, 15]
    assert rows.version.tolist() == [1, 1, 1]
    assert (rows.settled_us == rows.settled_us[0]).all()


def test_what_was_believed_then_is_loaded(store: Store) -> None:
    with connect(store.url) as conn:
        store_intervals(conn, 1, intervals([1.0]), settled_at=FIRST)
        store_intervals(conn, 1, intervals([2.0]), settled_at=THEN)

        def believed(as_of) -> list[tuple[float, int]]:
            rows = load_settled(conn, 1, NOON, NOON + QUARTER, as_of)
            both = zip(rows.values[:, 0].tolist(), rows.version.tolist(), strict=True)
            return list(both)

        second = timedelta(seconds=1)
        assert believed(None) == [(2, 2)]
        assert believed(FIRST - second) == []
        assert believed(FIRST) == [(1, 1)]
        assert believed(THEN - second) == [(1, 1)]
        assert believed(THEN) == [(2, 2)]
