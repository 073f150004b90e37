import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.meter_entry import NOT_NOTED
from accounts.meter_list import (
    MeterListError,
    read_meter_list,
    write_meter_list,
)
from meters.profile import PROFILES
from tests.accounts.meter_lists import LINE, entry, line, write_list


def test_a_line_says_what_a_site_file_says_of_a_meter(tmp_path) -> None:
    told = line(
        new_point="yes",
        poll_every_s="2.5",
        removed_at="2026-02-01T08:00:00+08:00",
        ratio=60,
        register_digits=8,
        register_resolution=0.1,
    )
    listed = read_meter_list(write_list(tmp_path, told))
    assert listed.refused == ()
    assert listed.entries == (
        entry(
            2,
            new_point=True,
            poll_every_s=2.5,
            # 08:00 in Shanghai is midnight in UTC.
            removed_at=datetime(2026, 2, 1, tzinfo=UTC),
            ratio=60,
            register_digits=8,
            register_resolution=0.1,
        ),
    )


LINE_OF_WIRE = {
    "framing": "serial",
    "host": None,
    "port": None,
    "device": "/dev/ttyUSB0",
    "stop_bits": 2,
}


def test_a_meter_on_a_serial_line(tmp_path) -> None:
    listed = read_meter_list(write_list(tmp_path, line(**LINE_OF_WIRE)))
    (one,) = listed.entries
    assert one.address == "/dev/ttyUSB0/1"
    assert one.manner == ("serial", 9600, "none", 2)
    path = tmp_path / "again.csv"
    path.write_text(write_meter_list([one]), "utf-8")
    assert read_meter_list(path).entries == (replace(one, new_point=True),)


def test_what_is_left_out_is_the_profiles_or_the_usual(tmp_path) -> None:
    mqtt = line(serial="B", profile="keywatt-json", host=None, port=None, unit=None)
    asked, told = read_meter_list(write_list(tmp_path, line(port=None), mqtt)).entries
    assert (asked.transport, asked.port, asked.poll_every_s) == ("modbus", 502, 10.0)
    assert (asked.register_digits, asked.ratio) == (9, 1)
    assert (told.transport, told.host, told.unit) == ("mqtt", None, None)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param(
            {"profile": "eastron-sdm63"},
            "profile: no profile is called 'eastron-sdm63'; there are ",
            id="unknown profile",
        ),
        pytest.param(
            {"profile": "none.toml"}, "profile: ", id="a profile file that is not there"
        ),
        pytest.param({"host": "a..b"}, "host: 'a..b' is no host name", id="bad host"),
        pytest.param({"host": None}, "host: is missing.", id="no host"),
        pytest.param({"port": 70000}, "port: is 70000, should be less", id="port"),
        pytest.param(
            {"port": "502.0"}, "port: is '502.0', should be a valid int", id="no whole"
        ),
        pytest.param(
            {"role": "spare"}, "role: is 'spare', should be 'main'", id="role"
        ),
        pytest.param(
            {"opening_import_kwh": "12.345"},
            "opening_import_kwh: is 12.345 kWh, between two counts of a register that",
            id="between two counts",
        ),
        pytest.param(
            {"opening_lagging_kvarh": "10000000"},
            "opening_lagging_kvarh: is 10000000 kvarh, but a register of 9 digits shows"
            " 9999999.99 kvarh at most; correct one of them.",
            id="beyond its digits",
        ),
        pytest.param(
            {"opening_import_kwh": "many"},
            "opening_import_kwh: is 'many', should be what the display showed: a",
            id="no number",
        ),
        pytest.param(
            {"closing_import_kwh": "5"},
            "closing_import_kwh: is of a meter that stays; give its removed_at too.",
            id="closing of one that stays",
        ),
        pytest.param({"ratio": 0}, "ratio: is 0, should be greater than 0: g", id="0"),
        pytest.param(
            {"register_digits": 10},
            "register_digits: is 10, but the registers of profile eastron-sdm630 have"
            " 9; leave it out",
            id="more digits than its profile",
        ),
        pytest.param(
            {"register_resolution": "nan"}, "register_resolution: is 'nan'", id="NaN"
        ),
        pytest.param({"serial": "A B"}, "serial: is 'A B', ", id="serial"),
        pytest.param({"account": None}, "account: is missing.", id="no account"),
        pytest.param(
            {"installed_at": "2026-01-01T00:00:00"},
            "installed_at: is '2026-01-01T00:00:00', should be a time with its offset,",
            id="no offset",
        ),
        pytest.param(
            {"removed_at": "1.2.2026"},
            "removed_at: is '1.2.2026', should be a time with its offset,",
            id="no time",
        ),
        pytest.param(
            {"removed_at": LINE["installed_at"]},
            "removed_at: must be later than installed_at.",
            id="left before it came",
        ),
        pytest.param(
            {"transport": "mqtt"},
            "transport: is mqtt, but profile eastron-sdm630 is read over modbus.",
            id="wrong transport",
        ),
        pytest.param(
            {"profile": "siemens-pac2200", "ratio": "60"},
            "ratio: is 60, but profile siemens-pac2200 says that the meter multiplies",
            id="multiplied twice",
        ),
        pytest.param({"transport": "pigeon"}, "transport: is 'pigeon'", id="no way"),
        pytest.param(
            {"report_every_s": 60},
            "report_every_s: must be empty for a meter over modbus.",
            id="a column of the other transport",
        ),
        pytest.param({"framing": "rtu"}, "framing: is 'rtu'", id="framing"),
        pytest.param(
            {"framing": "serial"},
            "host: must be empty for a meter over modbus serial.",
            id="a host on a serial line",
        ),
        pytest.param(
            LINE_OF_WIRE | {"stop_bits": "3"}, "stop_bits: is 3, ", id="stop bits"
        ),
        pytest.param(
            LINE_OF_WIRE | {"device": None}, "device: is missing", id="no device"
        ),
        pytest.param({"new_point": "perhaps"}, "new_point: is 'perhaps'", id="yes/no"),
        pytest.param({"point": "a\0b"}, "holds a control character.", id="control"),
        pytest.param({"point": 'a"b'}, None, id="a quote within is text"),
        pytest.param({"point": '"ab'}, "cannot be split into columns", id="quote"),
        pytest.param(
            {"point": "a,b"},
            "has 10 columns, the header 9; put a text with ',' in it between double",
            id="a comma too many",
        ),
    ],
)
def test_a_bad_line_is_refused_alone(tmp_path, changes, told) -> None:
    good = line(serial="GOOD-1"), line(serial="GOOD-2", unit=3)
    bad = {
        "account": "",
        "point": "",
        "serial": "",
        "profile": "",
        "report_every_s": "",
    }
    path = write_list(
        tmp_path, good[0], bad | line(**{"serial": "B"} | changes), good[1]
    )
    listed = read_meter_list(path)
    serials = [one.serial for one in listed.entries]
    if told is None:
        assert serials == ["GOOD-1", "B", "GOOD-2"]
        return
    assert serials == ["GOOD-1", "GOOD-2"]
    (refused,) = listed.refused
    said = refused.told("meters.csv")
    assert said.removeprefix("meters.csv, line 3").lstrip(":, ").startswith(told)
    assert said.endswith(".")
    assert "\n" not in said
    assert listed.lines == 3


def test_bytes_that_are_no_text_are_refused_alone(tmp_path) -> None:
    path = write_list(tmp_path, line(), line(serial="B", point="H"), line(serial="C"))
    path.write_bytes(path.read_bytes().replace(b",H,", b",H\xfctte,"))
    listed = read_meter_list(path)
    assert [one.serial for one in listed.entries] == ["A", "C"]
    assert [one.told("m") for one in listed.refused] == [
        "m, line 3: is not UTF-8 text; save the list as CSV UTF-8."
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(
            lambda text: text.replace("serial", "serail", 1),
            "header: 'serail' is no column (did you mean serial?).",
            id="misspelt",
        ),
        pytest.param(
            lambda text: text.replace("serial", "zzz", 1),
            "header: 'zzz' is no column; there are account, point, ",
            id="unknown",
        ),
        pytest.param(
            lambda text: text.replace("serial", "host", 1),
            "header: host is there twice.",
            id="twice",
        ),
        pytest.param(
            lambda text: text.replace("installed_at", "removed_at", 1),
            "header: installed_at is missing.",
            id="missing",
        ),
        pytest.param(
            lambda _: "", "header: account and point and serial and profile", id="empty"
        ),
        pytest.param(lambda _: "\x00\x01\x02", "header: ", id="another kind of file"),
    ],
)
def test_a_wrong_header_refuses_the_whole_file(tmp_path, change, told) -> None:
    path = write_list(tmp_path, line())
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    with pytest.raises(MeterListError) as refused:
        read_meter_list(path)
    assert str(refused.value).startswith(f"{path}, {told}")


def test_what_is_no_csv_file_is_said(tmp_path) -> None:
    with pytest.raises(MeterListError, match=r"none.csv: cannot be read: No such file"):
        read_meter_list(tmp_path / "none.csv")
    path = write_list(tmp_path, line())
    path.write_text(path.read_text("utf-8"), "utf-16")
    with pytest.raises(MeterListError, match="UTF-16"):
        read_meter_list(path)


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_what_spreadsheets_write_can_be_read(tmp_path, delimiter, end) -> None:
    path = write_list(tmp_path, line(), line(serial="B", unit=2))
    text = path.read_text("utf-8").replace(",", delimiter).replace("\n", end)
    empty = delimiter * 7 + end
    path.write_bytes(b"\xef\xbb\xbf" + (text + empty + end).encode())
    listed = read_meter_list(path)
    assert [one.serial for one in listed.entries] == ["A", "B"]
    assert listed.lines == 2


def test_a_profile_of_ones_own_starts_at_the_lists_folder(tmp_path) -> None:
    shipped = PROFILES / "eastron-sdm630.toml"
    text = shipped.read_text("utf-8").replace('"eastron-sdm630"', '"mine"')
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    shutil.copy(shipped, tmp_path / "wrong.toml")
    one, other = line(profile="mine.toml"), line(serial="B", profile="wrong.toml")
    listed = read_meter_list(write_list(tmp_path, one, other))
    assert [m.profile for m in listed.entries] == [str(tmp_path / "mine.toml")]
    assert [r.column for r in listed.refused] == ["profile"]


DAY = timedelta(days=1)
NOTED = {"opening_import_kwh": "12.5", "closing_leading_kvarh": "0.07"}


def test_a_list_may_say_what_the_displays_showed(tmp_path) -> None:
    left = {"removed_at": "2026-02-01T00:00:00Z"}
    (one,) = read_meter_list(write_list(tmp_path, line(**NOTED, **left))).entries
    # In steps of 0.01.
    assert one.opening == (1250, None, None, None)
    assert one.closing == (None, None, None, 7)
    # A list without such columns says nothing of it.
    (silent,) = read_meter_list(write_list(tmp_path, line(**left))).entries
    assert (one.says_notes, silent.says_notes) == (True, False)
    assert (silent.opening, silent.role) == (NOT_NOTED, "main")
    (check,) = read_meter_list(write_list(tmp_path, line(role="check"))).entries
    assert check.role == "check"


TEXTS = st.text(
    st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1
)


@st.composite
def written(draw):
    """One entry with whatever a line can hold."""
    point = draw(TEXTS.map(str.strip).filter(len))
    first = datetime(2000, 1, 1, tzinfo=UTC)
    noted = st.tuples(*[st.none() | st.integers(0, 10**9 - 1)] * 4)
    came = first + draw(st.timedeltas(timedelta(0), timedelta(36500)))
    return entry(
        2,
        point=point,
        unit=draw(st.integers(0, 255)),
        ratio=draw(st.integers(1, 10**6)),
        register_resolution=draw(st.floats(1e-6, 1e3)),
        installed_at=came,
        removed_at=came + DAY,
        role=draw(st.sampled_from(["main", "check"])),
        opening=draw(noted),
        closing=draw(noted),
        new_point=True,
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("list") / "meters.csv"


@given(written())
def test_what_is_written_is_read_again(path, one) -> None:
    path.write_text(write_meter_list([one]), "utf-8")
    assert read_meter_list(path).entries == (one,)
