from pathlib import Path

import numpy as np
import pytest

from meters.quantity import Quantity
from meters.reading import from_utc_us
from simulators.replay_file import Series, read_series
from simulators.replay_form import ReplayError, form_beside, make_form

IMPORT, LAGGING = 0, 2  # rows of a series' energy
FORM = {"time": "at", "columns": {"energy_import_kwh": "kwh"}}


def read(folder: Path, text: str, **entered) -> Series:
    file = folder / "load.csv"
    file.write_text(text)
    return read_series(file, make_form(FORM | entered, "options"))


def starts(series: Series) -> list[str]:
    return [f"{from_utc_us(us):%m-%d %H:%M}" for us in series.start_us]


def codes(series: Series) -> list[str]:
    return [finding.code for finding in series.findings]


PLAIN = "at,kwh\n2026-01-05 00:00,1.5\n2026-01-05 00:15,2\n2026-01-05 00:30,0\n"


def test_energy_per_interval_by_start(tmp_path) -> None:
    series = read(tmp_path, PLAIN)
    assert starts(series) == ["01-05 00:00", "01-05 00:15", "01-05 00:30"]
    assert series.energy[IMPORT].tolist() == [1.5, 2, 0]
    assert np.isnan(series.energy[LAGGING]).all()
    assert series.findings == ()


def test_a_stamp_at_the_end_and_a_zone(tmp_path) -> None:
    series = read(tmp_path, PLAIN, stamp="end", zone="Asia/Seoul")
    # 00:00 in Seoul is 15:00 UTC of the day before, and closes the interval before it.
    assert starts(series) == ["01-04 14:45", "01-04 15:00", "01-04 15:15"]


def test_power_with_a_sign_goes_to_two_registers(tmp_path) -> None:
    text = "at,p,q\n2026-01-05 00:00,100,-8\n2026-01-05 00:15,-40,20\n"
    columns = {"active_power_kw": "p", "reactive_power_kvar": "q"}
    series = read(tmp_path, text, columns=columns)
    # A quarter of an hour: 100 kW are 25 kWh, -40 kW are 10 kWh of export.
    assert series.energy.tolist() == [[25, 0], [0, 10], [0, 5], [2, 0]]


def test_parts_are_chosen_by_a_column(tmp_path) -> None:
    text = "at,meter,kwh\n2026-01-05 00:00,A,1\n2026-01-05 00:00,7,9\n"
    series = read(tmp_path, text, where={"meter": "7"})
    assert series.energy[IMPORT].tolist() == [9]


def test_times_in_another_form(tmp_path) -> None:
    text = "at,kwh\n05/01/2026 00:00,1\n05/01/2026 00:15,2\n"
    series = read(tmp_path, text, time_format="%d/%m/%Y %H:%M")
    assert starts(series) == ["01-05 00:00", "01-05 00:15"]


def test_a_zone_in_the_time_wins(tmp_path) -> None:
    text = "at,kwh\n2026-01-05T00:00:00+08:00,1\n"
    assert starts(read(tmp_path, text, zone="Asia/Seoul")) == ["01-04 16:00"]


def test_from_new_to_old_is_turned_round(tmp_path) -> None:
    head, *lines = PLAIN.splitlines()
    series = read(tmp_path, "\n".join([head, *reversed(lines)]) + "\n")
    assert series.energy[IMPORT].tolist() == [1.5, 2, 0]
    assert codes(series) == ["descending"]


def test_rows_that_stand_twice_are_taken_once(tmp_path) -> None:
    series = read(tmp_path, PLAIN + "2026-01-05 00:30,0\n")
    assert series.energy[IMPORT].tolist() == [1.5, 2, 0]
    assert codes(series) == ["repeated-rows"]


AUTUMN = ["00:45", "01:00", "01:15", "01:30", "01:45"]
AUTUMN += ["01:00", "01:15", "01:30", "01:45", "02:00"]


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_hour_that_autumn_repeats(tmp_path, newest_first) -> None:
    lines = [f"2018-11-04 {clock},{n}" for n, clock in enumerate(AUTUMN)]
    if newest_first:
        lines.reverse()
    text = "\n".join(["at,kwh", *lines]) + "\n"
    series = read(tmp_path, text, zone="America/Los_Angeles")
    # Summer time ends at 09:00 UTC: 01:45 PDT is 08:45, 01:00 PST is 09:00.
    assert starts(series)[4:6] == ["11-04 08:45", "11-04 09:00"]
    assert (np.diff(series.start_us) == series.step_us).all()
    assert series.energy[IMPORT].tolist() == list(range(10))
    expected = ["repeated-hour", "descending"] if newest_first else ["repeated-hour"]
    assert codes(series) == expected


def test_spring_leaves_no_hole(tmp_path) -> None:
    text = "at,kwh\n2018-03-11 01:45,1\n2018-03-11 03:00,2\n"
    series = read(tmp_path, text, zone="America/Los_Angeles")
    assert starts(series) == ["03-11 09:45", "03-11 10:00"]
    assert series.findings == ()


def test_gaps_stay_gaps(tmp_path) -> None:
    text = "at,kwh\n2026-01-05 00:00,1\n2026-01-05 00:15,\n2026-01-05 01:00,4\n"
    series = read(tmp_path, text)
    assert starts(series) == ["01-05 00:00", "01-05 01:00"]
    assert [f.text for f in series.findings] == [
        "1 intervals lack a value and are left out.",
        (
            "3 intervals are missing, the first at 2026-01-05 00:15 UTC; the registers "
            "stand still over them."
        ),
    ]


ROW = "2026-01-05 00:00,1\n"


@pytest.mark.parametrize(
    ("text", "entered", "sentence"),
    [
        pytest.param(
            PLAIN,
            {"columns": {"energy_import_kwh": "kWh"}},
            "there is no column kWh; the file has at, kwh.",
            id="missing column",
        ),
        pytest.param(
            "at,kwh\nyesterday,1\n",
            {},
            "column at holds 'yesterday' in row 1, which is not a time (ISO 8601).",
            id="not a time",
        ),
        pytest.param(
            f"at,kwh\n{ROW},1\n", {}, "column at is empty in row 2.", id="no time"
        ),
        pytest.param(
            f"at,kwh\n{ROW}2026-01-05T00:15+01:00,1\n",
            {},
            "some times in at have a zone, some not.",
            id="half the zones",
        ),
        pytest.param(
            f"at,kwh\n2026-01-05 00:15,1\n{ROW}2026-01-05 00:30,1\n",
            {},
            "the times are not in order: row 2, 2026-01-05 00:00 UTC, goes back.",
            id="unsorted",
        ),
        pytest.param(
            f"at,kwh\n{ROW}2026-01-05 00:00,2\n",
            {},
            "2026-01-05 00:00 UTC stands twice with different values, the second time "
            "in row 2.",
            id="repeated",
        ),
        pytest.param(
            f"at,kwh\n{ROW}2026-01-05 00:10,1\n",
            {},
            "the interval at 2026-01-05 00:10 UTC is not a whole number of 15 min "
            "after the one before it; give the right step_min.",
            id="off the grid",
        ),
        pytest.param(
            "at,kwh\n2018-03-11 02:15,1\n",
            {"zone": "America/Los_Angeles"},
            "2018-03-11 02:15 does not exist in America/Los_Angeles, where clocks were "
            "put forward; give the file's true zone, or stamp.",
            id="a time that spring leaves out",
        ),
        pytest.param(
            "at,kwh\n2026-01-05 00:00,high\n",
            {},
            "column kwh holds string, not numbers.",
            id="not a number",
        ),
        pytest.param(
            "at,kwh\n2026-01-05 00:00,inf\n",
            {},
            "column kwh is infinite in row 1.",
            id="infinite",
        ),
        pytest.param(
            "at,kwh\n2026-01-05 00:00,\n",
            {},
            "the columns hold no value at all.",
            id="no value",
        ),
        pytest.param(
            PLAIN,
            {"where": {"kwh": "77"}},
            "has no rows with kwh = 77.",
            id="no such rows",
        ),
        pytest.param("at,kwh\n", {}, "has no rows.", id="empty"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, text, entered, sentence) -> None:
    with pytest.raises(ReplayError) as caught:
        read(tmp_path, text, **entered)
    assert str(caught.value) == f"{tmp_path / 'load.csv'}: {sentence}"


def test_negative_energy_is_refused(tmp_path) -> None:
    with pytest.raises(ReplayError, match="energy_import_kwh has negative energy"):
        read(tmp_path, "at,kwh\n2026-01-05 00:00,-1\n")


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "wrong.parquet"])
def test_an_unreadable_file_is_one_sentence(tmp_path, name) -> None:
    file = tmp_path / name
    (tmp_path / "wrong.parquet").write_text("at,kwh\n")
    with pytest.raises(ReplayError, match=rf"{name}: cannot be read: .+\.$") as caught:
        read_series(file, make_form(FORM, "options"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entered", "sentence"),
    [
        ({}, "x.toml: time: is missing (and 1 more)."),
        (FORM | {"tme": "at"}, "x.toml: tme: is not a known key."),
        (
            FORM | {"stamp": "middle"},
            "x.toml: stamp: is 'middle', should be 'start' or 'end'.",
        ),
        (
            FORM | {"columns": {"voltage_l1_v": "u"}},
            (
                "x.toml: voltage_l1_v cannot be replayed, only energy_import_kwh, "
                "energy_export_kwh, energy_lagging_kvarh, energy_leading_kvarh, "
                "active_power_kw, reactive_power_kvar."
            ),
        ),
        (
            FORM | {"columns": {"active_power_kw": "p", "energy_export_kwh": "fed_in"}},
            "x.toml: two columns fill energy_export_kwh.",
        ),
    ],
)
def test_a_wrong_form_is_one_sentence(entered, sentence) -> None:
    with pytest.raises(ReplayError) as caught:
        make_form(entered, "x.toml")
    assert str(caught.value) == sentence


def test_a_form_stands_beside_its_file(tmp_path) -> None:
    file = tmp_path / "load.csv"
    assert form_beside(file) == {}
    beside = tmp_path / "load.csv.toml"
    beside.write_text('time = "at"\ncolumns = { energy_import_kwh = "kwh" }\n')
    assert make_form(form_beside(file), str(beside)).columns == {
        Quantity.ENERGY_IMPORT_KWH: "kwh"
    }
    beside.write_text("time = at")
    with pytest.raises(ReplayError, match=r"load\.csv\.toml: is not TOML"):
        form_beside(file)
