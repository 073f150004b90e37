"""What is imported is what is settled, whatever the multiplier."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest

from keywatt.settling.point import settle_point
from meters.reading import utc_us
from reports.exchange.importing import import_files
from reports.exchange.preview import Beside
from storage.database import connect
from storage.intervals import load_intervals
from tests.reports.exchange.made import campus, content, entered, order
from tests.support import shared_data

NOW = datetime(2019, 11, 10, tzinfo=UTC)
MIDNIGHT = datetime(2019, 11, 1, 7, tzinfo=UTC)  # in Los Angeles
DAYS = timedelta(days=7, hours=1)  # clocks go back on the 3rd
SAID = {"zone": "UTC", "columns": {"time": "t", "import_kwh": "kwh"}}


def load(n: int) -> np.ndarray:
    """A week's quarter-hours of some plant, to 0.01 kWh, in no proportion to a CT."""
    time = np.arange(n) / 96
    kwh = 40 + 25 * np.sin(2 * np.pi * time) + np.random.default_rng(3).uniform(0, 9, n)
    return np.round(kwh, 2)


def settled(database, tmp_path, text: str, said: dict, **keys):
    entered(database, campus(**keys))
    with connect(database) as conn:
        read = content(tmp_path, text, **said)
        assert import_files(conn, [read], order(apply=True)).applied
        settle_point(conn, 1, NOW)
        return load_intervals(conn, 1, MIDNIGHT, MIDNIGHT + DAYS)


@pytest.mark.parametrize("ratio", [1, 60, 6000])
def test_intervals_of_a_file_are_settled_as_they_are(database, tmp_path, ratio) -> None:
    kwh = load(676)
    times = [MIDNIGHT + timedelta(minutes=15) * at for at in range(676)]
    body = [f"{at:%Y-%m-%d %H:%M},{one}" for at, one in zip(times, kwh, strict=True)]
    text = "\n".join(["t,kwh", *body])
    found = settled(database, tmp_path, text, SAID, ratio=ratio)
    assert len(found) == 676
    assert set(found.quality.tolist()) == {"measured"}
    np.testing.assert_allclose(found.import_kwh, kwh, atol=1e-9)


def test_registers_of_a_file_are_settled(database, tmp_path) -> None:
    kwh = load(676)
    shown = 1000 + np.concatenate([[0], np.cumsum(kwh)])
    times = [MIDNIGHT + timedelta(minutes=15) * at for at in range(677)]
    both = zip(times, shown, strict=True)
    body = [f"{at:%Y-%m-%d %H:%M},{one:.2f}" for at, one in both]
    columns = {"time": "t", "energy_import_kwh": "dial"}
    said = {"kind": "registers", "zone": "UTC", "columns": columns}
    text = "\n".join(["t,dial", *body])
    found = settled(database, tmp_path, text, said)
    assert set(found.quality.tolist()) == {"measured"}
    np.testing.assert_allclose(found.import_kwh, kwh, atol=1e-9)


@pytest.mark.parametrize("length_min", [5, 10, 30, 60])
def test_intervals_of_other_lengths_keep_their_energy(
    database, tmp_path, length_min
) -> None:
    # Over the night of 3 November, when clocks go back: 25 hours, 100 quarter-hours.
    begins, per_hour = MIDNIGHT + timedelta(days=2), 60 // length_min
    kwh = np.round(load(25 * per_hour) / per_hour, 3)
    times = [begins + timedelta(minutes=length_min) * at for at in range(kwh.size)]
    body = [f"{at:%Y-%m-%d %H:%M},{one}" for at, one in zip(times, kwh, strict=True)]
    found = settled(database, tmp_path, "\n".join(["t,kwh", *body]), SAID)[:100]
    assert found.start_us[0] == utc_us(begins)
    is_exact = length_min == 5
    assert set(found.quality.tolist()) == {"measured" if is_exact else "estimated"}
    # What is told of 30 or 60 minutes, or of three times 10, holds of their hour, too.
    np.testing.assert_allclose(
        found.import_kwh.reshape(25, 4).sum(axis=1),
        kwh.reshape(25, per_hour).sum(axis=1),
        atol=1e-9,
    )


def test_real_hours_of_a_building_are_settled_to_the_last_count(
    database, tmp_path
) -> None:
    hours = [MIDNIGHT + timedelta(hours=n) for n in range(48)]
    table = pq.read_table(
        shared_data("cambridge_estate_uk") / "electricity_hourly_2015_2022.parquet",
        columns=["ts_utc", "kwh"],
        filters=[("building_id", "==", "b0"), ("ts_utc", "in", hours)],
    ).sort_by("ts_utc")
    assert table["ts_utc"].to_pylist() == hours
    kwh = np.array([round(one, 1) for one in table["kwh"].to_pylist()])
    body = [f"{at:%Y-%m-%d %H:%M},{one}" for at, one in zip(hours, kwh, strict=True)]
    found = settled(database, tmp_path, "\n".join(["t,kwh", *body]), SAID)[:192]
    np.testing.assert_allclose(
        found.import_kwh.reshape(48, 4).sum(axis=1), kwh, atol=1e-9
    )


def test_the_preview_says_by_how_much_a_file_differs_from_what_is_settled(
    database, tmp_path
) -> None:
    # Settled are 1, 2, 3 and 4 kWh; of the file's hours, 10 and 12 kWh, the first is.
    kwh = [1, 2, 3, 4]
    body = [f"2019-11-01 07:{15 * n:02},{one}" for n, one in enumerate(kwh)]
    settled(database, tmp_path, "\n".join(["t,kwh", *body]), SAID)
    text = "t,kwh\n2019-11-01 07:00,10.5\n2019-10-01 08:00,12\n"
    with connect(database) as conn:
        read = content(tmp_path, text, "b.csv", length_min=60, **SAID)
        preview = import_files(conn, [read], order())
    assert preview.beside == Beside(file_kwh=10.5, settled_kwh=10.0, rows=1)
