from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nemreader import NEMFile

from reports.exchange.form import ExchangeError
from reports.exchange.nem12 import write_nem12
from storage.exports import SettledRows
from tests.reports.exchange.settled import outgoing

MIDNIGHT = datetime(2026, 3, 1, 14, tzinfo=UTC)  # of March 2nd, in market time
MADE = datetime(2026, 3, 20, 12, tzinfo=UTC)


def written(*points, **said) -> str:
    file = StringIO(newline="")
    write_nem12(points, file, made_at=MADE, **said)
    return file.getvalue()


def read_back(text: str):
    """Return what an independent reader finds, by data stream."""
    reader = NEMFile("made.csv", strict=True)
    ((nmi, streams),) = reader.parse_nem_file(text.splitlines()).readings.items()
    return nmi, streams


def test_a_day_by_hand() -> None:
    kwh = np.full(96, 1.5)
    kwh[0], kwh[10:12], kwh[95] = 0.25, np.nan, 157.18
    one = outgoing(MIDNIGHT, kwh, lagging_kvarh=0.5)
    one.rows.quality[4:8], one.rows.method[4:8] = "estimated", "average-like-day"
    one.rows.quality[8], one.rows.method[8] = "estimated", "interpolated"
    one.rows.quality[9] = "edited"
    lines = written(one).splitlines()
    assert lines[0] == "100,NEM12,202603202200,KEYWATT,STEEL"
    assert lines[1] == "200,KW00000007,E1Q1,E1,E1,,ST-1,kWh,15,"
    day = lines[2].split(",")
    assert day[:3] == ["300", "20260302", "0.250"]
    assert day[2:98] == [
        *("0.250", *["1.500"] * 9, "0.000", "0.000"),
        *(*["1.500"] * 83, "157.180"),
    ]
    # 01:02:03 UTC is 11:02:03 in market time.
    assert day[98:] == ["V", "", "", "20260320110203", ""]
    assert lines[3:9] == [
        "400,1,4,A,,",
        "400,5,8,S15,0,Estimated: average-like-day",
        "400,9,9,S17,0,Estimated: interpolated",
        "400,10,10,F18,0,Edited by a person",
        "400,11,12,N,,",
        "400,13,96,A,,",
    ]
    assert lines[9] == "200,KW00000007,E1Q1,Q1,Q1,,ST-1,kVArh,15,"
    assert lines[10].split(",")[98:] == ["V", "", "", "20260320110203", ""]
    assert lines[-1] == "900"


def test_a_day_of_one_quality_needs_no_events() -> None:
    lines = written(outgoing(MIDNIGHT, np.full(288, 1.0), length_min=5)).splitlines()
    assert len(lines) == 4
    assert lines[2].endswith(",1.000,A,,,20260320110203,")
    assert lines[2].count(",") == 1 + 288 + 5


@pytest.mark.parametrize("length_min", [5, 15, 30])
def test_an_independent_reader_finds_the_same(length_min) -> None:
    n = 2 * 1440 // length_min
    kwh = np.round(np.random.default_rng(4).uniform(0, 100, n), 3)
    kwh[7] = np.nan
    one = outgoing(MIDNIGHT, kwh, export_kwh=0.125, length_min=length_min)
    one.rows.quality[20], one.rows.method[20] = "estimated", "linear"
    nmi, streams = read_back(written(one, nmi="4102345678"))
    assert nmi == "4102345678"
    assert sorted(streams) == ["B1", "E1"]
    found = streams["E1"]
    assert [one.read_value for one in found] == pytest.approx(np.nan_to_num(kwh))
    assert [one.quality_method for one in found[6:9]] == ["A", "N", "A"]
    assert (found[20].quality_method, found[20].event_desc) == (
        "S17",
        "Estimated: linear",
    )
    # Its times are those of the market, and name both ends.
    assert found[0].t_start == datetime(2026, 3, 2)  # noqa: DTZ001
    assert found[0].t_end - found[0].t_start == timedelta(minutes=length_min)
    assert found[0].meter_serial_number == "ST-1"
    assert found[0].uom == "kWh"
    assert {one.read_value for one in streams["B1"]} == {0.125}


def test_market_time_knows_no_daylight_saving() -> None:
    # Sydney puts its clocks back on 2026-04-05, a local day of 100 quarter-hours, of
    # which the first 4 are the day before in market time.
    start = datetime(2026, 4, 4, 13, tzinfo=UTC)
    one = outgoing(start, np.arange(100) / 100, zone="Australia/Sydney")
    lines = written(one).splitlines()
    first, second = lines[2].split(","), lines[5].split(",")
    assert (first[1], first[94:98]) == (
        "20260404",
        ["0.000", "0.010", "0.020", "0.030"],
    )
    assert (second[1], second[2], second[97]) == ("20260405", "0.040", "0.990")
    assert lines[3:5] == ["400,1,92,N,,", "400,93,96,A,,"]


def test_days_of_which_nothing_is_known_are_null() -> None:
    kwh = np.full(3 * 96, 1.5)
    one = outgoing(MIDNIGHT, kwh)
    kept = np.r_[0:96, 192:288]  # nothing of March 3rd
    names = one.rows.__dataclass_fields__
    one = replace(
        one, rows=SettledRows(**{name: getattr(one.rows, name)[kept] for name in names})
    )
    days = date(2026, 3, 1), date(2026, 3, 5)
    text = written(one, days=days)
    found = [line.split(",") for line in text.splitlines() if line.startswith("300")]
    assert [day[1] for day in found] == [f"2026030{number}" for number in range(1, 6)]
    null = ["N", "", "", "", ""]
    known = ["A", "", "", "20260320110203", ""]
    assert [day[98:] for day in found] == [null, known, null, known, null]
    assert found[2][2:98] == ["0.000"] * 96
    (stream,) = read_back(text)[1].values()
    assert [one.quality_method for one in stream[::96]] == ["N", "A", "N", "A", "N"]


def test_a_market_may_keep_another_clock() -> None:
    one = outgoing(MIDNIGHT + timedelta(hours=2), np.full(96, 1.0))
    lines = written(one, offset=timedelta(hours=8)).splitlines()  # Western Australia
    assert lines[2].split(",")[1] == "20260302"
    assert len(lines) == 4


@given(st.lists(st.floats(0, 1e4), min_size=96, max_size=96))
def test_what_is_cut_off_is_carried_on(kwh) -> None:
    found = written(outgoing(MIDNIGHT, kwh)).splitlines()[2].split(",")[2:98]
    values = np.array(found, dtype=float)
    off = np.abs(np.cumsum(values) - np.cumsum(kwh))
    assert off.max() <= 0.0005 + 1e-6
    assert (values >= 0).all()
    assert np.abs(values - kwh).max() <= 0.001 + 1e-6


@pytest.mark.parametrize(
    ("keys", "said", "told"),
    [
        ({"length_min": 60}, {}, "NEM12 knows intervals of 5, 15, 30 min; Main supply"),
        ({}, {"nmi": "41-2345678"}, "An NMI has 10 letters and digits"),
    ],
)
def test_what_the_format_cannot_say_is_refused(keys, said, told) -> None:
    with pytest.raises(ExchangeError, match=told):
        written(outgoing(MIDNIGHT, np.ones(24), **keys), **said)


def test_an_nmi_is_of_one_point() -> None:
    one = outgoing(MIDNIGHT, np.ones(96))
    with pytest.raises(ExchangeError, match="An NMI is of one point"):
        written(one, one, nmi="4102345678")


def test_lengths_cannot_be_mixed() -> None:
    one = outgoing(MIDNIGHT, np.ones(96))
    one.rows.length_min[50:] = 30
    with pytest.raises(ExchangeError, match="has intervals of 15 and 30 min"):
        written(one)
