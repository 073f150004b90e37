from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from psycopg.errors import UniqueViolation

from meters.quantity import COLUMN, Quantity
from meters.reading import Source, utc_us
from storage.database import connect
from storage.import_records import list_imports
from storage.imports import (
    FOREVER_US,
    find_imported,
    load_sittings,
    lock_imports,
    store_file,
    store_readings,
)
from storage.master import apply_site
from storage.readings import load_readings, load_sources
from tests.fix_timescale import Store
from tests.storage_data import NOON, QUARTER, batch, meter, point, site, write

LATER = NOON + timedelta(days=1)
FILE = {
    "name": "march.csv",
    "sha256": "ab" * 32,
    "content": "intervals",
    "point_id": None,
    "starts_at": None,
    "stops_at": None,
    "import_kwh": None,
    "rows_new": 3,
    "rows_changed": 2,
    "rows_same": 1,
    "imported_by": "Li Wei",
    "imported_at": LATER,
}


def test_a_file_is_found_by_its_content_and_kept_once(store: Store) -> None:
    with connect(store.url) as conn:
        lock_imports(conn)
        import_id = store_file(conn, **FILE)
        conn.commit()
        found = find_imported(conn, FILE["sha256"])
        assert find_imported(conn, "cd" * 32) is None
        assert [one.import_id for one in list_imports(conn)] == [found.import_id]
        assert (found.import_id, found.name, found.imported_at) == (
            import_id,
            "march.csv",
            LATER,
        )
        with pytest.raises(UniqueViolation):
            store_file(conn, **FILE)


def test_who_sat_at_a_point_and_with_which_multiplier(store: Store) -> None:
    went = datetime(2020, 1, 1, tzinfo=UTC)
    meters = [meter("A", removed_at=went, ratio=6), meter("B", installed_at=went)]
    with connect(store.url) as conn:
        apply_site(conn, site(points=[point(*meters)]))
        conn.execute(
            "INSERT INTO multiplier_change (installation_id, since, multiplier,"
            " entered_by) SELECT installation_id, %s, 7.5, 'Li Wei'"
            " FROM installation JOIN meter USING (meter_id) WHERE serial = 'A'",
            (datetime(2019, 1, 1, tzinfo=UTC),),
        )
        first, second = load_sittings(conn, 1)
        assert [first.serial, second.serial] == ["A", "B"]
        assert [first.to_us, second.to_us] == [utc_us(went), FOREVER_US]
        assert [value for _, value in first.multipliers] == [6, Fraction(15, 2)]
        assert (first.digits, first.resolution) == (8, 0.01)
        assert load_sittings(conn, 1, "B") == [second]
        assert load_sittings(conn, 2) == []


def test_readings_of_a_file_leave_what_it_does_not_say(store: Store) -> None:
    write(store, batch(2))
    said = batch(3, start=NOON + QUARTER)
    said.values[:, COLUMN[Quantity.VOLTAGE_L1_V]] = np.nan
    said.values[0, COLUMN[Quantity.ENERGY_IMPORT_KWH]] = 1001.5
    with connect(store.url) as conn:
        import_id = store_file(conn, **FILE | {"content": "registers"})
        store_readings(conn, said, import_id=import_id)
        known = load_readings(conn, 1, NOON, LATER)
        sources = load_sources(conn, 1, NOON, LATER)
        kept = conn.execute(
            "SELECT gave ->> 'energy_import_kwh', gave ->> 'voltage_l1_v',"
            " was ->> 'energy_import_kwh', was ->> 'voltage_l1_v'"
            " FROM imported_reading ORDER BY measured_at"
        ).fetchall()
    dial = known.values[:, COLUMN[Quantity.ENERGY_IMPORT_KWH]]
    volts = known.values[:, COLUMN[Quantity.VOLTAGE_L1_V]]
    # Batches count up from 1000: the file says 1001.5, 1001, 1002 from 12:15 on.
    assert dial.tolist() == [1000, 1001.5, 1001, 1002]
    np.testing.assert_array_equal(volts, [230, 230.125, np.nan, np.nan])
    assert sources == {Source.PUSHED: 1, Source.IMPORTED: 3}
    # Of a reading that was there a file gives registers alone; this one has no volts.
    assert kept == [
        ("1001.5", None, "1001", "230.125"),
        ("1001", None, None, None),
        ("1002", None, None, None),
    ]
