from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from collector import meter_watch
from collector.meter_watch import Changes, MeterWatch, compare
from meters.meter import Meter, Transport
from storage.database import connect
from storage.master import load_meters
from tests.collector.master import INSTALLED_AT, enter_meters

ONE = Meter(
    meter_id=1,
    serial="A",
    profile="eastron-sdm630",
    transport=Transport.MODBUS,
    host="192.0.2.10",
    port=502,
    unit=1,
)
TWO = replace(ONE, meter_id=2, serial="B", unit=2)
LATER = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("known", "wanted", "changes"),
    [
        pytest.param([ONE], [ONE], Changes(), id="nothing"),
        pytest.param([ONE], [ONE, TWO], Changes(added=(TWO,)), id="added"),
        pytest.param([ONE, TWO], [TWO], Changes(removed=(ONE,)), id="removed"),
        pytest.param(
            [ONE],
            [replace(ONE, poll_every_s=5.0)],
            Changes(changed=((ONE, replace(ONE, poll_every_s=5.0)),)),
            id="another pace",
        ),
        pytest.param(
            [ONE],
            [replace(ONE, host="192.0.2.11")],
            Changes(moved=((ONE, replace(ONE, host="192.0.2.11")),)),
            id="another gateway",
        ),
        pytest.param([ONE], [TWO], Changes(added=(TWO,), removed=(ONE,)), id="swapped"),
    ],
)
def test_two_lists_are_compared_meter_by_meter(known, wanted, changes) -> None:
    assert compare({meter.meter_id: meter for meter in known}, wanted) == changes
    assert bool(changes) is (known != wanted)


def test_what_goes_and_what_comes_leaves_the_rest_alone() -> None:
    slow = replace(TWO, poll_every_s=60.0)
    three = replace(ONE, meter_id=3)
    changes = compare({1: ONE, 2: TWO}, [slow, three])
    assert changes.gone == (ONE, TWO)
    assert changes.come == (three, slow)
    assert str(changes) == "1 added, 1 removed, 1 changed"


class Counting:
    """Counts how often the whole list is read."""

    def __init__(self, monkeypatch) -> None:
        self.read = 0
        monkeypatch.setattr(meter_watch, "load_meters", self)

    def __call__(self, conn, now):
        self.read += 1
        return load_meters(conn, now)


def test_the_list_is_read_again_only_where_something_changed(
    database, monkeypatch
) -> None:
    lists = Counting(monkeypatch)
    (meter,) = enter_meters(database, {"serial": "A"})
    watch = MeterWatch(database, lambda: LATER)
    assert watch.look() == Changes(added=(meter,))
    for _ in range(3):
        assert not watch.look()
    assert lists.read == 1
    with connect(database) as conn:
        conn.execute("UPDATE account SET manager = 'Anna'")
        conn.execute("UPDATE meter SET poll_every_s = poll_every_s")
    assert not watch.look()
    assert lists.read == 1
    with connect(database) as conn:
        conn.execute("UPDATE meter SET poll_every_s = 60")
    ((before, after),) = watch.look().changed
    assert (before, after.poll_every_s) == (meter, 60.0)
    assert watch.meters == {meter.meter_id: after}


def test_a_meter_comes_and_leaves_at_its_time(database, monkeypatch) -> None:
    lists = Counting(monkeypatch)
    bus = {"host": "192.0.2.10", "port": 502}
    to_come = LATER + timedelta(hours=1)
    enter_meters(
        database,
        {"serial": "A", **bus, "unit": 1},
        {"serial": "B", **bus, "unit": 2, "installed_at": to_come},
    )
    with connect(database) as conn:
        left = {"at": to_come + timedelta(hours=1), "since": INSTALLED_AT}
        conn.execute(
            "UPDATE installation SET removed_at = %(at)s"
            " WHERE installed_at = %(since)s",
            left,
        )
    hour = 0.0
    watch = MeterWatch(database, lambda: LATER + timedelta(hours=hour))

    def seen() -> tuple[list[str], list[str], int]:
        changes = watch.look()
        added, removed = changes.added, changes.removed
        return [m.serial for m in added], [m.serial for m in removed], lists.read

    assert seen() == (["A"], [], 1)
    hour = 0.9
    assert seen() == ([], [], 1)
    hour = 1.0
    assert seen() == (["B"], [], 2)
    hour = 1.9
    assert seen() == ([], [], 2)
    hour = 2.0
    assert seen() == ([], ["A"], 3)


def test_whatever_the_counter_says_the_list_is_read_now_and_then(
    database, monkeypatch
) -> None:
    enter_meters(database, {"serial": "A"})
    watch = MeterWatch(database, lambda: LATER)
    watch.look()
    with connect(database) as conn:  # as after a restored backup
        conn.execute("UPDATE meter SET serial = 'B'")
        conn.execute("UPDATE master_version SET version = version - 1")
    assert not watch.look()
    monkeypatch.setattr(meter_watch, "READ_AT_LEAST_EVERY_S", 0.0)
    ((_, after),) = watch.look().moved  # to its own topic
    assert after.serial == "B"
