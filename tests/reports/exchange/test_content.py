import gzip
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from meters.reading import from_utc_us
from reports.exchange.form import ExchangeError, make_form
from reports.exchange.reading import read_content
from tests.reports.exchange.made import UCSD, content
from tests.support import shared_data

DIALS = {"kind": "registers", "unit": "kW"}
KWH = {"zone": "UTC", "columns": {"time": "t", "import_kwh": "kwh"}}


def cols(**columns: str) -> dict[str, object]:
    return {"columns": columns}


def lines(refused) -> list[int]:
    return [row.place for row in refused]


# Newest first, thousands separators, and the hour that autumn repeats.
AUTUMN = """DateTime,RealPower,ReactivePower
11/3/2019 2:00,"1,087.418",13.204
11/3/2019 1:45,86.745,12.376
11/3/2019 1:30,88.924,14.07
11/3/2019 1:15,87.05,11.82
11/3/2019 1:00,87.367,12.898
11/3/2019 1:45,91.792,15.286
11/3/2019 1:30,-92.853,17.928
11/3/2019 1:15,90.555,16.047
11/3/2019 1:00,87.993,13.269
11/3/2019 0:45,83.979,-11.027
10/31/2019 0:45,83.979,11.027
"""


def test_a_file_in_the_form_of_the_campus(tmp_path) -> None:
    found = content(tmp_path, AUTUMN, **UCSD)
    assert (len(found), found.length_min, found.refused) == (11, 15, ())
    # By time: 0:45 is 07:45 UTC, the first 1:00 is 08:00, the second 09:00.
    shown = [f"{from_utc_us(us):%H:%M}" for us in found.at_us[1:]]
    assert shown == [
        *("07:45", "08:00", "08:15", "08:30", "08:45"),
        *("09:00", "09:15", "09:30", "09:45", "10:00"),
    ]
    assert found.places[1:].tolist() == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]
    # kW over a quarter of an hour; what flows the other way is export, or leading.
    assert found.values[-1].tolist() == pytest.approx([271.8545, 0, 3.301, 0])
    assert found.values[4].tolist() == pytest.approx([0, 23.21325, 4.482, 0])
    assert found.values[1].tolist() == pytest.approx([20.99475, 0, 0, 2.75675])
    assert [one.code for one in found.found] == ["descending", "repeated-hour"]


def test_the_raw_files_of_the_campus() -> None:
    folder = shared_data("ucsd_campus_us")
    spring = folder / "raw_student_services_2019_03_08_13.csv.gz"
    autumn = folder / "raw_student_services_2019_11_01_07.csv.gz"
    # 6 days of 96 quarter-hours less the 4 of spring; 7 days and the 4 of autumn.
    for file, n in ((spring, 572), (autumn, 676)):
        found = read_content(file, make_form(UCSD, "test"))
        assert (len(found), found.refused) == (n, ())
        assert (np.diff(found.at_us) == 900_000_000).all()


def test_the_raw_battery_charges_and_feeds() -> None:
    file = shared_data("ucsd_campus_us") / "raw_battery_2020_02.csv.gz"
    columns = {"time": "DateTime", "net_kwh": "RealPower"}
    found = read_content(file, make_form(UCSD | {"columns": columns}, "test"))
    assert (len(found), found.refused) == (2784, ())  # 29 days
    # Its own sum, by awk over the lines: positive and negative kW over 4.
    assert found.values[:, 0].sum() == pytest.approx(52_555.46725)
    assert found.values[:, 1].sum() == pytest.approx(62_946.85075)
    # With 1,702.85 in it; a column of import alone cannot be negative.
    columns = {"time": "DateTime", "import_kwh": "RealPower"}
    refused = read_content(file, make_form(UCSD | {"columns": columns}, "test"))
    assert len(refused.refused) == 1926
    assert refused.refused[0].told() == (
        "raw_battery_2020_02.csv.gz, line 2: import_kwh is negative (-151.772); if its "
        "sign says which way energy flows, name the column net_kwh."
    )


def test_the_campus_import_says_different_things_of_three_times() -> None:
    file = shared_data("ucsd_campus_us") / "campus_import_2018_01_2019_06.parquet"
    columns = {"time": "ts_local", "net_kwh": "utility_import_kw"}
    found = read_content(file, make_form(UCSD | {"columns": columns}, "test"))
    # Of its four double stamps one says the same twice of this column.
    assert lines(found.refused) == [35843, 35844, 39968, 39969, 47202, 47203]
    assert found.repeated == 1
    assert "Rows 35843 and 35844 say different things of 2019-01-09 08:30 PST" in (
        found.refused[0].text
    )


def test_the_campus_wall_clock_gives_its_own_utc() -> None:
    file = shared_data("ucsd_campus_us") / "meters_15min.parquet"
    said = UCSD | {"where": {"meter_id": "StudentServices"}}
    by_time = []
    for column in ("ts_local", "ts_utc"):
        said["columns"] = {"time": column, "net_kwh": "p_kw", "net_kvarh": "q_kvar"}
        by_time.append(read_content(file, make_form(said, "test")))
    np.testing.assert_array_equal(by_time[0].at_us, by_time[1].at_us)
    np.testing.assert_array_equal(by_time[0].values, by_time[1].values)


@pytest.mark.parametrize("column", ["source_date", "interval_end_local"])
def test_the_steel_file_sums_to_what_it_should(column) -> None:
    file = shared_data("steel_industry_kr") / "steel_2018_jan_aug.parquet"
    columns = {
        "time": column,
        "import_kwh": "usage_kwh",
        "lagging_kvarh": "lagging_kvarh",
        "leading_kvarh": "leading_kvarh",
    }
    said = {"zone": "Asia/Seoul", "interval_ends": True, "columns": columns}
    found = read_content(file, make_form(said, "test"))
    assert (len(found), found.refused) == (23_328, ())
    # docs/methods.md, Registers: the steel plant from January to August.
    sums = np.nansum(found.values, axis=0)
    assert sums.tolist() == pytest.approx([671_433.60, 0, 306_315.73, 94_382.73])
    peak = int(found.values[:, 0].argmax())
    assert from_utc_us(found.at_us[peak]).isoformat() == "2018-01-15T04:30:00+00:00"


def test_the_steel_file_taken_for_starts_is_refused_by_row() -> None:
    file = shared_data("steel_industry_kr") / "steel_2018_jan_aug.parquet"
    columns = {"time": "source_date", "import_kwh": "usage_kwh"}
    said = {"zone": "Asia/Seoul", "columns": columns}
    found = read_content(file, make_form(said, "test"))
    assert lines(found.refused)[:2] == [96, 192]
    assert len(found.refused) == 243  # days


PREAMBLE = """Meter 4
kept by B

x,t,kwh
,20180131 2345,2
,20180201 0000,1.5
"""
TWO_HEADERS = """t,kwh
1/31/2018 23:45,2

t,kwh
1/31/2018 24:00,1.5
"""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("t;kwh\n1.2.2018 0:00;1,5\n31.1.2018 23:45;2\n", id="semicolon"),
        pytest.param("t\tkwh\n2018-01-31 23:45\t2\n2018-02-01\t1.5\n", id="tab"),
        pytest.param(PREAMBLE, id="preamble"),
        pytest.param(TWO_HEADERS, id="24:00 and two headers"),
    ],
)
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]
)
@pytest.mark.parametrize("packed", [False, True])
def test_forms_of_files(tmp_path, data, encoding, packed) -> None:
    raw = data.replace("kept", "Zähler").encode(encoding)
    found = content(tmp_path, gzip.compress(raw) if packed else raw, **KWH)
    assert not found.refused
    assert found.values[:, 0].tolist() == [2, 1.5]
    assert found.length_min == 15


def test_two_columns_make_a_time(tmp_path) -> None:
    said = KWH | {"columns": {"time": "Date+Time", "import_kwh": "kwh"}}
    text = "Date,Time,kwh\n2018-02-01,00:00,1\n2018-02-01,00:15,2\n"
    assert content(tmp_path, text, **said).values[:, 0].tolist() == [1, 2]


def test_rows_that_cannot_be_are_refused_by_line(tmp_path) -> None:
    text = (
        "t,kwh,note\n"
        "2018-02-01 00:00,1,\n"
        "2018-02-01 00:15,off,\n"
        "yesterday,2,\n"
        "2018-02-01 00:45\n"
        "2018-02-01 01:00,,\n"
        "2018-02-01 01:20,3,\n"
        '2018-02-01 01:30,4,"two\nlines"\n'
        "2018-02-01 01:45,-1,\n"
        "Total,11,\n"
    )
    found = content(tmp_path, text, length_min=15, **KWH)
    told = [row.told().removeprefix("a.csv, line ") for row in found.refused]
    assert told == [
        "3: kwh: 'off' is no number.",
        "4: 'yesterday' is no time (such as 2026-03-01 00:15).",
        "5: It has 1 of 3 fields; complete it.",
        "7: 2018-02-01 01:20:00 UTC is not the start of an interval of 15 min.",
        *told[4:5],
        "11: 'Total' is no time (such as 2026-03-01 00:15).",
    ]
    assert told[4].startswith("10: import_kwh is negative (-1); if its sign says")
    assert found.values[:, 0].tolist() == [1, 4]
    assert found.places.tolist() == [2, 9]  # where the row ends
    assert found.empty == 1


def test_a_row_that_is_refused_still_tells_the_length(tmp_path) -> None:
    # 2 kW: over a quarter of an hour 0.5 kWh, over half an hour it would be 1.
    text = "t,kwh\n2018-02-01 00:00,2\n2018-02-01 00:15,off\n2018-02-01 00:30,2\n"
    found = content(tmp_path, text, unit="kW", **KWH)
    assert (found.length_min, found.values[:, 0].tolist()) == (15, [0.5, 0.5])


def test_repeats_count_once_and_contradictions_are_refused_with_both_lines(
    tmp_path,
) -> None:
    text = (
        "t,kwh\n2018-02-01 00:00,1\n2018-02-01 00:15,2\n2018-02-01 00:00,1\n"
        "2018-02-01 00:30,3\n2018-02-01 00:30,3\n2018-02-01 00:30,3.5\n"
    )
    found = content(tmp_path, text, **KWH)
    assert found.values[:, 0].tolist() == [1, 2]
    assert found.repeated == 1
    assert lines(found.refused) == [5, 6, 7]  # the repeat of a contradicted row too
    assert found.refused[0].text == (
        "Lines 6 and 7 say different things of 2018-02-01 00:30 UTC: 3 and 3.5; "
        "delete one."
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (cols(time="t", import_kwh="w"), "no column 'w'; its first line has: t, kwh."),
        (cols(), "its columns are t, kwh; say which is what"),
        (cols(time="t"), "are t, kwh; say which holds energy with --column import_kwh"),
        (cols(time="Nope"), "no column 'Nope'; its first line has: t, kwh."),
        (cols(import_kwh="kwh"), "which column is the time"),
        (cols(time="t", energy="kwh"), "there is no energy; there are: time, import_"),
        (cols(time="t", net_kwh="a", export_kwh="b"), "net_kwh and export_kwh fill"),
        (cols(time="t", energy_import_kwh="kwh") | DIALS, "counts energy and not kW"),
        ({"zone": "Mars"}, "no known time zone"),
        ({"where": {"kwh": "7"}}, "has no rows with kwh = 7"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_file_must_fit_it(tmp_path, said, told) -> None:
    with pytest.raises(ExchangeError, match=told):
        content(tmp_path, "t,kwh\n2018-02-01 00:00,1\n", **(KWH | said))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "its first line has: nothing"),
        (b"\x1f\x8bnot gzip", "is no whole gzip file"),
        (b"PAR1 and nothing", "is no whole Parquet file"),
        (b"t,kwh\n2018-02-01 00:00,1\n", "one time does not say how long"),
        (b"t,kwh\n2018-02-01 00:00,1\n2018-02-01 00:07,1\n", "rows are 7 min apart"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path, data, told) -> None:
    with pytest.raises(ExchangeError, match=told):
        content(tmp_path, data, **KWH)


def test_a_parquet_file_by_the_names_of_its_columns(tmp_path) -> None:
    stamps = np.array(["2018-02-01T00:00", "2018-02-01T00:15"], "M8[ms]")
    table = pa.table(
        {
            "t": pa.array(stamps, pa.timestamp("ms", "Europe/Berlin")),
            "kwh": pa.array([1500, None], pa.int32()),
            "fed": pa.array([0.0, 2000.0], pa.float32()),
        }
    )
    file = BytesIO()
    pyarrow.parquet.write_table(table, file)
    columns = {"time": "t", "import_kwh": "kwh", "export_kwh": "fed"}
    found = content(
        tmp_path, file.getvalue(), "a.parquet", columns=columns, unit="Wh", zone="UTC"
    )
    np.testing.assert_array_equal(found.values[:, :2], [[1.5, 0], [np.nan, 2]])
    assert from_utc_us(found.at_us[0]).isoformat() == "2018-02-01T00:00:00+00:00"
    assert (found.at, found.places.tolist()) == ("row", [1, 2])


def test_registers_are_what_they_show(tmp_path) -> None:
    text = "t,dial,v\n2018-02-01 00:07:30,12.5,230\n2018-03-01 09:00,-1,230\n"
    columns = {"time": "t", "energy_import_kwh": "dial", "voltage_l1_v": "v"}
    found = content(
        tmp_path, text, kind="registers", unit="MWh", zone="UTC", columns=columns
    )
    assert found.names == ("energy_import_kwh", "voltage_l1_v")
    assert found.values.tolist() == [[12_500, 230]]  # volts are no energy
    assert lines(found.refused) == [3]
    assert found.length_min is None


@pytest.mark.parametrize(
    ("begins", "what", "instead"),
    [
        (b"<?xml version='1.0'?>", "XML, such as Green Button", "as CSV or Parquet"),
        (b"\xef\xbb\xbf<feed>", "XML, such as Green Button", "as CSV or Parquet"),
        (b"100,NEM12,202604010000,A,B", "NEM12", "as CSV or Parquet"),
        (b"PK\x03\x04", "a workbook or an archive", "save each sheet"),
    ],
)
def test_other_forms_of_files_are_refused_with_what_to_do(
    tmp_path, begins, what, instead
) -> None:
    file = tmp_path / "a.dat"
    file.write_bytes(begins)
    told = f"a.dat: is {what}, which is not read; .*{instead}"
    with pytest.raises(ExchangeError, match=told):
        read_content(file, make_form(KWH, "test"))
