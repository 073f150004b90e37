from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest

from meters.quantity import COLUMN, Quantity
from meters.reading import Source
from reports.exchange.form import ExchangeError
from reports.exchange.importing import import_files
from storage.database import connect
from storage.import_records import list_imports
from storage.imports import load_sittings
from storage.meter_intervals import load_meter_intervals
from storage.readings import load_readings, load_sources
from tests.reports.exchange.made import NOW, campus, content, entered, order
from tests.storage_data import meter, point, site

DAY = datetime(2018, 11, 4, 7, tzinfo=UTC)  # midnight in Los Angeles
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
KWH = {"zone": "UTC", "columns": {"time": "t", "import_kwh": "kwh"}}
BOTH = KWH | {"columns": {"time": "t", "import_kwh": "kwh", "export_kwh": "fed"}}
DIAL = {
    "kind": "registers",
    "zone": "UTC",
    "columns": {"time": "t", "energy_import_kwh": "dial"},
}


def rows(*kwh: object, start: datetime = DAY, head: str = "t,kwh") -> str:
    times = [start + timedelta(minutes=15) * at for at in range(len(kwh))]
    body = [
        f"{time:%Y-%m-%d %H:%M},{value}" for time, value in zip(times, kwh, strict=True)
    ]
    return "\n".join([head, *body])


@pytest.fixture
def conn(database):
    entered(database, campus(ratio=10))
    with connect(database) as conn:
        yield conn


def stored(conn) -> list[tuple[float, float]]:
    """Return import and export of the only meter, before its multiplier."""
    known = load_meter_intervals(conn, 1, *EVER)
    return list(zip(known.import_kwh.tolist(), known.export_kwh.tolist(), strict=True))


def dirty(conn) -> list[date]:
    found = conn.execute(
        "SELECT DISTINCT local_day FROM dirty_point_day ORDER BY local_day"
    )
    return [day for (day,) in found]


def clear(conn) -> None:
    conn.execute("DELETE FROM dirty_point_day")
    conn.execute("DELETE FROM touched")
    conn.commit()


def test_a_preview_changes_nothing(conn, tmp_path) -> None:
    clear(conn)
    preview = import_files(conn, [content(tmp_path, rows(10, 20), **KWH)], order())
    assert (preview.count("new"), preview.new_kwh) == (2, 30)
    assert preview.settle == ((date(2018, 11, 4), date(2018, 11, 4)),)
    assert (preview.applied, preview.meters) == (False, ("SD-1",))
    assert preview.files[0].first == "2018-11-04 00:00-07:00"
    assert (stored(conn), dirty(conn), list_imports(conn)) == ([], [], [])


def test_energy_of_the_point_is_stored_before_the_multiplier(conn, tmp_path) -> None:
    clear(conn)
    text = rows("10,1", "20,", "30,3", head="t,kwh,fed")
    said = content(tmp_path, text, **BOTH)
    preview = import_files(conn, [said], order(apply=True))
    assert preview.applied
    np.testing.assert_array_equal(  # CT 10
        stored(conn), [(1, 0.1), (2, np.nan), (3, 0.3)]
    )
    assert dirty(conn) == [date(2018, 11, 4)]
    (file,) = list_imports(conn)
    assert (file.name, file.imported_by, file.imported_at) == ("a.csv", "Li Wei", NOW)
    found = conn.execute("SELECT DISTINCT import_id, received_at FROM meter_interval")
    assert found.fetchall() == [(file.import_id, NOW)]


def test_a_file_is_taken_once_by_what_is_in_it(conn, tmp_path) -> None:
    first = content(tmp_path, rows(1, 2), **KWH)
    import_files(conn, [first], order(apply=True))
    again = content(tmp_path, rows(1, 2), name="b.csv", **KWH)
    told = (
        "b.csv was imported for Main supply on 2026-03-20 12:00 UTC by Li Wei as a.csv "
        r"\(import 1\); a file is taken once."
    )
    with pytest.raises(ExchangeError, match=told):
        import_files(conn, [again], order())
    assert len(list_imports(conn)) == 1


def test_what_contradicts_what_is_stored_needs_a_word(conn, tmp_path) -> None:
    text = rows("1,9", "2,9", "3,9", head="t,kwh,fed")
    import_files(conn, [content(tmp_path, text, **BOTH)], order(apply=True))
    clear(conn)
    said = content(tmp_path, rows(1, 2.5, 3, 4), name="b.csv", **KWH)
    preview = import_files(conn, [said], order(apply=True))
    counts = [preview.count(what) for what in ("new", "changed", "same")]
    assert (counts, preview.delta_kwh, preview.new_kwh) == ([1, 1, 2], 0.5, 4)
    assert preview.why_not == (
        "1 rows contradict what is stored; let the files win with --replace."
    )
    assert (len(stored(conn)), dirty(conn)) == (3, [])
    later = replace(order(apply=True, replace=True), now=NOW + timedelta(hours=1))
    assert import_files(conn, [said], later).applied
    # What the file does not say stays: 9 kWh were fed.
    np.testing.assert_allclose(
        stored(conn), [(0.1, 0.9), (0.25, 0.9), (0.3, 0.9), (0.4, np.nan)]
    )
    (received,) = conn.execute("SELECT count(*) FROM meter_interval").fetchone()
    assert received == 5  # the contradicted one is kept too


def test_a_file_of_fed_energy_alone_leaves_what_was_drawn(conn, tmp_path) -> None:
    text = rows("1,9", "2,9", head="t,kwh,fed")
    import_files(conn, [content(tmp_path, text, **BOTH)], order(apply=True))
    fed = KWH | {"columns": {"time": "t", "export_kwh": "kwh"}}
    said = content(tmp_path, rows(9, 8), name="b.csv", **fed)
    preview = import_files(conn, [said], order())
    assert (preview.count("changed"), preview.delta_kwh) == (1, 0)
    again = replace(order(apply=True, replace=True), now=NOW + timedelta(hours=1))
    import_files(conn, [said], again)
    np.testing.assert_allclose(stored(conn), [(0.1, 0.9), (0.2, 0.8)])


def test_refused_rows_keep_the_others_out_unless_told(conn, tmp_path) -> None:
    said = content(tmp_path, rows(1, "off", 3), **KWH)
    preview = import_files(conn, [said], order(apply=True))
    assert preview.why_not == (
        "1 rows are refused; correct them, or store the others with --skip-refused."
    )
    assert (stored(conn), list_imports(conn)) == ([], [])
    skipped = import_files(conn, [said], order(apply=True, skip_refused=True))
    assert (skipped.applied, len(stored(conn))) == (True, 2)


def test_intervals_that_make_no_quarter_hours_are_not_stored(conn, tmp_path) -> None:
    text = "t,kwh\n2018-11-04 07:00,4\n2018-11-04 07:20,4\n"
    said = content(tmp_path, text, **KWH)
    preview = import_files(conn, [said], order(apply=True))
    assert preview.why_not == (
        "intervals of 20 min do not add up to those of 15 min that are settled; import "
        "registers."
    )
    assert (preview.applied, stored(conn)) == (False, [])


def test_files_that_contradict_each_other_are_refused_naming_both(
    conn, tmp_path
) -> None:
    one = content(tmp_path, rows(1, 2, 3), **KWH)
    other = content(tmp_path, rows(1, 2.5, 3.5, 4), name="b.csv", **KWH)
    told = (
        "a.csv, line 3, and b.csv, line 3, say different things of 2018-11-04 07:15 "
        "UTC, and of 1 more times; import the right one alone."
    )
    with pytest.raises(ExchangeError, match=told):
        import_files(conn, [one, other], order(apply=True, replace=True))
    assert (stored(conn), list_imports(conn)) == ([], [])


def test_files_that_agree_are_stored_together(conn, tmp_path) -> None:
    one = content(tmp_path, rows(1, 2, 3), **KWH)
    later = DAY + timedelta(minutes=30)
    other = content(tmp_path, rows(3, 4, start=later), name="b.csv", **KWH)
    preview = import_files(conn, [one, other], order(apply=True))
    assert [file.new for file in preview.files] == [3, 1]
    assert preview.files[1].repeated == 1
    assert [kwh for kwh, _ in stored(conn)] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert len(list_imports(conn)) == 2


def test_a_failure_stores_nothing_of_any_file(conn, tmp_path) -> None:
    clear(conn)
    one = content(tmp_path, rows(1, 2), **KWH)
    later = rows(5, 6, start=DAY + timedelta(days=2))
    other = content(tmp_path, later, name="b.csv", **KWH)
    conn.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF NEW.import_kwh = 0.5 THEN RAISE 'no room'; END IF;"
        " RETURN NEW; END $$"
    )
    conn.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON meter_interval"
        " FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    conn.commit()
    with pytest.raises(Exception, match="no room"):
        import_files(conn, [one, other], order(apply=True))
    assert (stored(conn), dirty(conn), list_imports(conn)) == ([], [], [])


def test_days_are_the_accounts_own(conn, tmp_path) -> None:
    clear(conn)
    # 23:30 and 23:45 on November 3rd, then from the 5th on: not the 4th.
    before = rows(1, 1, start=DAY - timedelta(minutes=30))
    after = rows(1, 1, start=DAY + timedelta(hours=25)).partition("\n")[2]
    said = content(tmp_path, f"{before}\n{after}", **KWH)
    preview = import_files(conn, [said], order(apply=True))
    days = [date(2018, 11, 3), date(2018, 11, 5)]
    assert preview.settle == tuple((day, day) for day in days)
    assert [change.day for change in preview.days] == days
    assert dirty(conn) == days


def swapped(after: timedelta):
    """Meter SD-1 until a while after DAY, and SD-2 with a larger CT from then on."""
    first = meter("SD-1", removed_at=DAY + after, ratio=10)
    second = meter("SD-2", installed_at=DAY + after, ratio=20)
    los_angeles = {"time_zone": "America/Los_Angeles", "country": "US"}
    return site(code="campus", points=[point(first, second)], **los_angeles)


def test_rows_are_those_of_the_meter_installed_then(database, tmp_path) -> None:
    entered(database, swapped(timedelta(hours=1)))
    with connect(database) as conn:
        said = content(tmp_path, rows(1, 2, 3, 4, 5, 6), **KWH)
        preview = import_files(conn, [said], order(apply=True))
        assert preview.meters == ("SD-1", "SD-2")
        by_meter = [
            load_meter_intervals(conn, meter_id, *EVER).import_kwh.tolist()
            for meter_id in (1, 2)
        ]
    assert by_meter == [[0.1, 0.2, 0.3, 0.4], [0.25, 0.3]]


def test_an_interval_over_a_swap_and_one_before_any_meter_are_refused(
    database, tmp_path
) -> None:
    entered(database, swapped(timedelta(minutes=20)))
    with connect(database) as conn:
        text = f"{rows(1, 2, 3)}\n2017-01-01 00:30,1\n"
        said = content(tmp_path, text, length_min=15, **KWH)
        preview = import_files(conn, [said], order(apply=True, skip_refused=True))
    told = [(row.place, row.text) for row in preview.refused]
    over = "In the interval from 2018-11-04 07:15 UTC a meter comes or goes at Main"
    before = "At 2017-01-01 00:30 UTC no meter is installed at Main supply."
    assert told == [(3, f"{over} supply."), (5, before)]
    assert preview.count("new") == 2


def test_a_later_multiplier_counts_from_its_time(conn, tmp_path) -> None:
    conn.execute(
        "INSERT INTO multiplier_change (installation_id, since, multiplier, entered_by)"
        " VALUES (1, %s, 40, 'Li Wei'), (1, %s, 50, 'Li Wei')",
        (DAY + timedelta(minutes=30), DAY + timedelta(minutes=50)),
    )
    conn.commit()
    (sitting,) = load_sittings(conn, 1)
    assert [value for _, value in sitting.multipliers] == [10, Fraction(40), 50]
    said = content(tmp_path, rows(10, 10, 10, 10, 10), **KWH)
    preview = import_files(conn, [said], order(apply=True, skip_refused=True))
    assert [row.text for row in preview.refused] == [
        "The multiplier of meter SD-1 changes within it."
    ]
    assert [kwh for kwh, _ in stored(conn)] == [1, 1, 0.25, 0.2]


def test_a_check_meters_file_is_its_own(conn, tmp_path) -> None:
    conn.execute(
        "INSERT INTO meter (serial, profile, transport)"
        " VALUES ('CHECK', 'keywatt-json', 'mqtt')"
    )
    conn.execute(
        "INSERT INTO installation (point_id, meter_id, installed_at, ratio, role,"
        " register_digits, register_resolution)"
        " VALUES (1, 2, '2017-01-01Z', 5, 'check', 8, 0.01)"
    )
    conn.commit()
    said = content(tmp_path, rows(10, 20), **KWH)
    import_files(conn, [said], order(apply=True, meter="CHECK"))
    assert stored(conn) == []
    known = load_meter_intervals(conn, 2, *EVER)
    assert known.import_kwh.tolist() == [2, 4]
    with pytest.raises(ExchangeError, match="Meter NONE was never installed at Main"):
        import_files(conn, [said], order(meter="NONE"))


def dials(*shown: float, start: datetime = DAY) -> str:
    return rows(*shown, start=start, head="t,dial")


def test_registers_become_readings(conn, tmp_path) -> None:
    clear(conn)
    said = content(tmp_path, dials(100, 101.5, 103), **DIAL)
    preview = import_files(conn, [said], order(apply=True))
    assert (preview.applied, preview.new_kwh) == (True, 0)
    batch = load_readings(conn, 1, DAY, DAY + timedelta(hours=1))
    shown = batch.values[:, COLUMN[Quantity.ENERGY_IMPORT_KWH]]
    assert shown.tolist() == [100, 101.5, 103]  # as the meter shows it, without CT
    assert np.isnan(batch.values[:, COLUMN[Quantity.VOLTAGE_L1_V]]).all()
    assert load_sources(conn, 1, DAY, DAY + timedelta(days=1)) == {Source.IMPORTED: 3}
    # The first reading tells of the quarter-hour before it, on the day before.
    assert dirty(conn) == [date(2018, 11, 3), date(2018, 11, 4)]


def test_a_register_beyond_its_digits_is_refused(conn, tmp_path) -> None:
    # 8 digits at 0.01 kWh: up to 999,999.99.
    said = content(tmp_path, dials(999_999.99, 1_000_000), **DIAL)
    preview = import_files(conn, [said], order())
    (row,) = preview.refused
    shown = "Meter SD-1 cannot show 1000000: its register has 8 digits at 0.01."
    assert row.told() == f"a.csv, line 3: {shown}"
    assert preview.count("new") == 1


def test_what_a_file_replaced_is_kept(conn, tmp_path) -> None:
    import_files(conn, [content(tmp_path, dials(100, 101), **DIAL)], order(apply=True))
    conn.execute("UPDATE reading SET voltage_l1_v = 230, source = 2")
    conn.commit()
    said = content(tmp_path, dials(100, 101.5), name="b.csv", **DIAL)
    preview = import_files(conn, [said], order(apply=True))
    counts = [preview.count(what) for what in ("new", "changed", "same")]
    assert (counts, preview.applied) == ([0, 1, 1], False)
    import_files(conn, [said], order(apply=True, replace=True))
    shown = conn.execute(
        "SELECT energy_import_kwh, voltage_l1_v, source FROM reading ORDER BY 1"
    ).fetchall()
    assert shown == [(100, 230, 2), (101.5, 230, 4)]  # the other is as it was polled
    kept = conn.execute(
        "SELECT import_id, gave ->> 'energy_import_kwh', was ->> 'energy_import_kwh'"
        " FROM imported_reading ORDER BY import_id, measured_at"
    ).fetchall()
    # Besides files there was nothing.
    assert kept == [(1, "100", None), (1, "101", None), (2, "101.5", None)]


@pytest.mark.parametrize(
    ("account", "point_name", "told"),
    [
        ("nobody", None, "No account is called nobody; there are: campus"),
        ("campus", "Attic", "No point 'Attic'; campus has: Main supply."),
    ],
)
def test_a_wrong_place_is_told(conn, tmp_path, account, point_name, told) -> None:
    said = content(tmp_path, rows(1, 2), **KWH)
    wrong = replace(order(point=point_name), account=account)
    with pytest.raises(ExchangeError, match=told):
        import_files(conn, [said], wrong)


def test_the_same_readings_again_change_nothing(conn, tmp_path) -> None:
    import_files(conn, [content(tmp_path, rows(1, 2), **KWH)], order(apply=True))
    clear(conn)
    said = content(tmp_path, rows(1, 2).replace("t,", "t ,"), **KWH)
    preview = import_files(conn, [said], order(apply=True))
    assert (preview.count("same"), preview.days, preview.settle) == (2, (), ())
    assert dirty(conn) == []
