"""The benchmark of filled gaps, on made-up buildings whose answer is known."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import gapfill


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One building that repeats its weekday exactly, and a battery."""
    first = datetime(2018, 1, 1, tzinfo=UTC).replace(tzinfo=None)  # a wall clock
    local = [first + timedelta(minutes=15 * n) for n in range(96 * 150)]
    slot = np.arange(96 * 150) % 96
    load_kw = 100 + 50 * np.sin(slot / 96 * 2 * np.pi)
    table = pa.table(
        {
            "meter_id": ["Hall"] * len(local) + ["Battery"] * len(local),
            "ts_local": local * 2,
            "p_kw": np.concatenate([load_kw, load_kw - 120]),
        }
    )
    folder = tmp_path_factory.mktemp("buildings")
    pq.write_table(table, folder / "meters_15min.parquet")
    return folder


def measured(folder, capsys, monkeypatch, *more):
    monkeypatch.setattr(
        "sys.argv", ["gapfill", "--data", str(folder), "--gaps", "20", *more]
    )
    gapfill.main()
    return capsys.readouterr().out


def test_like_days_that_are_alike_leave_no_error(folder, capsys, monkeypatch) -> None:
    line = measured(folder, capsys, monkeypatch, "--json")
    found = json.loads(line)
    assert list(found["error_pct_by_building"]) == ["Hall"]
    errors = found["error_pct"]
    for method in ("three_like_days", "like_days_register", "ours", "ours_register"):
        assert set(errors[method].values()) == {0.0}, method
    # A line over a quarter-hour of a sine of 50 kW on 100 kW: the mean second
    # difference is 50 (2 pi / 96)^2 x 2 / pi = 0.136 kW, half of it is missed: 0.07 %.
    assert errors["linear"]["1"] == pytest.approx(0.07, abs=0.02)
    assert found["gap_lengths"] == [1, 4, 8, 16, 32, 96]


def test_a_folder_without_a_building_says_what_to_do(
    folder, capsys, monkeypatch
) -> None:
    with pytest.raises(SystemExit, match="no meter that only draws"):
        measured(folder, capsys, monkeypatch, "--last", "2018-02-01")
