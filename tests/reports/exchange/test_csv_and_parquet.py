import math
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.exchange.as_csv import write_csv
from reports.exchange.as_parquet import write_parquet
from tests.reports.exchange.made import content
from tests.reports.exchange.settled import outgoing

MIDNIGHT = datetime(2026, 3, 8, 8, tzinfo=UTC)  # of March 8th in Los Angeles
LOS_ANGELES = "America/Los_Angeles"


def as_csv(*points) -> str:
    file = StringIO()
    write_csv(points, file)
    return file.getvalue()


def as_parquet(*points) -> bytes:
    file = BytesIO()
    write_parquet(points, file)
    return file.getvalue()


def test_lines_by_hand() -> None:
    # The quarter-hour before clocks are put forward, and two after.
    start = MIDNIGHT + timedelta(hours=1, minutes=45)
    one = outgoing(start, [24.89, 1 / 3, np.nan], zone=LOS_ANGELES)
    one.rows.values[:, 2] = [0, 1e-7, np.nan]
    one.rows.quality[1], one.rows.method[1] = "estimated", "average-like-day"
    one.rows.confidence[1], one.rows.version[1] = 0.9543, 3
    header, *lines = as_csv(one).splitlines()
    assert header.split(",") == [
        *("account", "point", "start", "length_min", "import_kwh", "export_kwh"),
        *("lagging_kvarh", "leading_kvarh", "quality", "method"),
        *("estimated_energies", "confidence", "version", "settled_at"),
    ]
    settled = "2026-03-20T01:02:03Z"
    estimate = "estimated,average-like-day,,0.9543,3"
    assert [line.removeprefix("steel,Main supply,2026-03-08T") for line in lines] == [
        f"01:45-08:00,15,24.89,,0.0,,measured,,,1,1,{settled}",
        f"03:00-07:00,15,0.3333333333333333,,1e-07,,{estimate},{settled}",
        f"03:15-07:00,15,,,,,missing,no-reading,,0,1,{settled}",
    ]


def test_parquet_has_the_same_typed() -> None:
    one = outgoing(MIDNIGHT, [24.89, np.nan], export_kwh=1.5)
    table = pyarrow.parquet.read_table(BytesIO(as_parquet(one, one)))
    assert table.num_rows == 4
    assert table.column_names == as_csv().strip().split(",")
    first, second = table.slice(0, 2).to_pylist()
    assert first["start"] == MIDNIGHT
    assert (first["import_kwh"], first["quality"], first["version"]) == (
        24.89,
        "measured",
        1,
    )
    assert (second["import_kwh"], second["export_kwh"]) == (None, 1.5)
    assert second["method"] == "no-reading"


QUARTERS = st.integers(35_040 * 47, 35_040 * 56)  # from 2017 to 2026
energies = st.one_of(st.just(math.nan), st.floats(0, 1e9), st.integers(0, 9999))


@given(
    kwh=st.lists(energies, min_size=2, max_size=40),
    fed=st.one_of(st.just(math.nan), st.floats(0, 1e3)),
    quarter=QUARTERS,
    zone=st.sampled_from([LOS_ANGELES, "Asia/Kolkata", "Australia/Lord_Howe"]),
)
@pytest.mark.parametrize("written", [as_csv, as_parquet])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_exported_can_be_imported(tmp_path, written, **made) -> None:
    start = datetime.fromtimestamp(made["quarter"] * 900, UTC)
    one = outgoing(start, made["kwh"], zone=made["zone"], export_kwh=made["fed"])
    data = written(one)
    known = ~np.isnan(one.rows.values).all(axis=1)
    # The zone of whoever imports does not matter: each time has its offset.
    found = content(tmp_path, data, zone="Asia/Tokyo", length_min=15)
    np.testing.assert_array_equal(found.at_us, one.rows.start_us[known])
    np.testing.assert_array_equal(found.values, one.rows.values[known])
    assert not found.refused


@pytest.mark.parametrize("written", [as_csv, as_parquet])
def test_of_several_points_one_is_taken(tmp_path, written) -> None:
    one, other = (outgoing(MIDNIGHT, kwh) for kwh in ([1, 2], [30, 40, 50]))
    object.__setattr__(other.point, "name", "Hall")
    data = written(one, other)
    found = content(tmp_path, data, zone="UTC", point="Hall")
    assert found.values[:, 0].tolist() == [30, 40, 50]
