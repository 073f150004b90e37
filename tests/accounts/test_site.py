from datetime import UTC, datetime, time, timedelta

import pytest

from accounts.site import (
    ModbusConnection,
    MqttConnection,
    SerialConnection,
    Site,
    SiteAccount,
    SiteError,
    SiteMeter,
    SitePoint,
    load_site,
)
from meters.profile import PROFILES, load_profile
from tests.accounts.site_files import (
    AT_METER,
    EXAMPLE,
    METER,
    again,
    load_changed,
    set_in,
)


def test_the_handbook_example_loads() -> None:
    site = load_site(EXAMPLE)
    steel, cold_store = site.accounts
    (meter,) = steel.points[0].meters
    assert meter.connection == ModbusConnection(host="192.0.2.10", port=502, unit=1)
    # Midnight in Shanghai is 16:00 UTC of the day before.
    assert meter.installed_at == datetime(2025, 12, 31, 16, tzinfo=UTC)
    told = MqttConnection(report_every_s=60.0)
    assert cold_store.points[0].meters[0].connection == told
    assert site.tariff_of(steel).currency == "CNY"
    assert [m.serial for m in site.meters()] == ["ST-1001", "CS-2001"]


def test_registers_are_the_profiles_unless_said() -> None:
    steel, cold_store = load_site(EXAMPLE).meters()
    profile = load_profile(steel.profile)
    assert steel.register_digits == profile.register_digits
    assert steel.register_resolution == profile.register_resolution
    assert (cold_store.register_digits, cold_store.register_resolution) == (8, 0.01)


def test_a_process_is_what_the_figures_use() -> None:
    (entered,) = load_site(EXAMPLE).accounts[0].points[0].processes
    process = entered.as_process()
    assert (process.usual_start, process.latest_end) == (time(9, 0), time(0, 0))
    # 09:00 is quarter-hour 36; a run of 2 h (8 slots) may start until 22:00, slot 88.
    assert (process.usual_slot, process.start_slots) == (36, range(89))


def test_a_site_is_made_in_python_too() -> None:
    meter = SiteMeter(
        serial="CS-2001",
        profile="keywatt-json",
        connection=MqttConnection(),
        installed_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    tariffs = load_site(EXAMPLE).tariffs
    account = SiteAccount(
        code="cold-store",
        name="Harbour Cold Store",
        sector="cold-store",
        time_zone="Asia/Shanghai",
        country="CN",
        manager="Zhang Min",
        tariff=tariffs[0].code,
        points=[SitePoint(name="Main supply", meters=[meter])],
    )
    site = Site(tariffs=tariffs, accounts=[account])
    assert site.meters() == [meter]


def multiplied_twice(entered) -> None:
    """Give a ratio to a meter that multiplies itself."""
    set_in(*METER, "profile", to="siemens-pac2200")(entered)
    set_in(*METER, "ratio", to=60)(entered)


PROCESS = ("accounts", 0, "points", 0, "processes", 0)


@pytest.mark.parametrize(
    "host", ["192.0.2.10", "gateway-1.mill.lan.", "zähler.lan", "fe80::1%eth0", "::1"]
)
def test_a_host_is_a_name_or_an_address(host) -> None:
    assert ModbusConnection(host=host, unit=1).host == host


@pytest.mark.parametrize(
    "host",
    ["meter..lan", f"{'m' * 64}.lan", "http://gateway", "gateway:502", "a b", "a\0b"],
)
def test_what_no_host_can_be_called_is_refused(host) -> None:
    with pytest.raises(ValueError, match="is no host name or address; a name's parts"):
        ModbusConnection(host=host, unit=1)


OTHER_ADDRESS = {"transport": "modbus", "host": "192.0.2.10", "unit": 2}
SWAP = datetime(2026, 6, 1, tzinfo=UTC)


def test_the_unchanged_example_survives_the_writing(tmp_path) -> None:
    assert load_changed(tmp_path, lambda _: None) == load_site(EXAMPLE)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            set_in(*METER, "conection", to=1),
            rf"{AT_METER}\.conection: is not a known key\.",
            id="unknown key",
        ),
        pytest.param(
            lambda entered: entered["accounts"][0].update(
                manger=entered["accounts"][0].pop("manager")
            ),
            r"accounts\[steel\]\.manger: .* key \(did you mean manager\?\)\.",
            id="misspelt key",
        ),
        pytest.param(
            set_in(*METER, "connection", "port", to="502"),
            rf"{AT_METER}\.connection\.port: is '502', should be a valid integer",
            id="wrong type",
        ),
        pytest.param(
            set_in(*METER, "connection", to={"transport": "modbus", "unit": 1}),
            rf"{AT_METER}\.connection\.host: is missing\.",
            id="missing key",
        ),
        pytest.param(
            set_in(*METER, "connection", "transport", to="rs485"),
            rf"{AT_METER}\.connection\.transport: is 'rs485', should be 'modbus' or",
            id="unknown transport",
        ),
        pytest.param(
            set_in(*METER, "connection", to={"transport": "mqtt"}),
            rf"{AT_METER}: profile eastron-sdm630 is read over modbus",
            id="transport of another profile",
        ),
        pytest.param(
            multiplied_twice,
            rf"{AT_METER}: ratio is 60, but profile siemens-pac2200 says that the",
            id="multiplied twice",
        ),
        pytest.param(
            set_in(*METER, "profile", to="nobody-knows"),
            rf"{AT_METER}\.profile: no profile is called 'nobody-knows'; there are",
            id="unknown profile",
        ),
        pytest.param(
            set_in(*METER, "ratio", to=-60),
            rf"{AT_METER}\.ratio: is -60, should be greater than 0: give CT x PT x",
            id="negative ratio",
        ),
        pytest.param(
            set_in(*METER, "connection", "poll_every_s", to=float("nan")),
            rf"{AT_METER}\.connection\.poll_every_s: .*finite number",
            id="not a number",
        ),
        pytest.param(
            set_in(*METER, "installed_at", to=datetime(2026, 1, 1)),  # noqa: DTZ001
            rf"{AT_METER}\.installed_at: is 2026-01-01 00:00:00, should have timezone",
            id="time without its offset",
        ),
        pytest.param(
            set_in(*METER, "removed_at", to=datetime(2025, 1, 1, tzinfo=UTC)),
            rf"{AT_METER}: removed_at must be later than installed_at",
            id="removed before installed",
        ),
        pytest.param(
            again(*METER[:-1], serial="ST-1002", connection=OTHER_ADDRESS),
            "meter ST-1001 is still installed when ST-1002 comes",
            id="two meters at one time at one point",
        ),
        pytest.param(
            lambda entered: (
                again(*METER[:-1], serial="ST-1002", connection=OTHER_ADDRESS)(entered),
                set_in(*METER, "removed_at", to=SWAP)(entered),
            ),
            "meter ST-1001 is still installed when ST-1002 comes",
            id="removed after the next came",
        ),
        pytest.param(
            set_in("accounts", 0, "name", to="  "),
            r"accounts\[steel\]\.name: is '  ', string should have at least 1",
            id="empty name",
        ),
        pytest.param(
            set_in("accounts", 1, "points", 0, "meters", 0, "serial", to="ST-1001"),
            "meter ST-1001 is entered with two profiles or connections; a meter that",
            id="one serial for two meters",
        ),
        pytest.param(
            again("accounts", 0, "points", name="Second supply"),
            "meter ST-1001 is in two places at one time; give it an earlier removed_at",
            id="one meter at two points",
        ),
        pytest.param(
            set_in(*METER, "profile", to="nowhere/acme.toml"),
            rf"{AT_METER}\.profile: /.*/nowhere/acme\.toml: cannot be read: No such",
            id="no file of a profile",
        ),
        pytest.param(
            again("accounts", 0, "points"),
            r"accounts\[steel\]: point Main supply is entered 2 times",
            id="two points of one name",
        ),
        pytest.param(
            again("tariffs"), "tariff two-part-10kv is entered 2 times", id="tariffs"
        ),
        pytest.param(
            again("accounts", points=[], outages=[]),
            "account steel is entered 2 times",
            id="accounts",
        ),
        pytest.param(
            set_in("accounts", 0, "tariff", to="other"),
            "account steel names tariff other, which is not among the tariffs",
            id="unknown tariff",
        ),
        pytest.param(
            set_in("accounts", 0, "time_zone", to="Asia/Atlantis"),
            r"accounts\[steel\]\.time_zone: is 'Asia/Atlantis', which is no known",
            id="unknown zone",
        ),
        pytest.param(
            set_in("accounts", 0, "country", to="XX"),
            r"accounts\[steel\]: no public holidays are known for country 'XX'",
            id="unknown country",
        ),
        pytest.param(
            set_in("accounts", 0, "code", to="Steel Works"),
            r"accounts\[Steel Works\]\.code: .*pattern",
            id="code with a space",
        ),
        pytest.param(
            set_in(*PROCESS, "usual_start", to="09:05"),
            r"processes\[Ladle pre-heater\]\.usual_start: 09:05:00 is not a local time",
            id="not on a quarter-hour",
        ),
        pytest.param(
            set_in(*PROCESS, "usual_start", to="9 o'clock"),
            r"processes\[Ladle pre-heater\]\.usual_start: .*9 o'clock",
            id="not a time",
        ),
        pytest.param(
            set_in(*PROCESS, "latest_end", to="10:45"),
            "usual run of 120 min from 09:00 does not fit .* latest_end 10:45",
            id="usual run outside its window",
        ),
        pytest.param(
            set_in(*PROCESS, "duration_min", to=50),
            r"processes\[Ladle pre-heater\]\.duration_min: .*multiple of 15",
            id="duration between quarter-hours",
        ),
        pytest.param(
            again(*PROCESS[:-1]),
            "process Ladle pre-heater is entered 2 times",
            id="two processes of one name",
        ),
        pytest.param(
            set_in("tariffs", 0, "peak_hours", to=["07:00-09:00"]),
            r"tariffs\[two-part-10kv\]: the spans 00:00-08:00 and 07:00-09:00",
            id="overlapping periods",
        ),
        pytest.param(
            set_in("tariffs", to="none"),
            "tariffs: is 'none', should be a list",
            id="not a list",
        ),
        pytest.param(
            set_in("accounts", to=[3]),
            r"accounts\[#1\]: is 3, should be a table",
            id="a number",
        ),
    ],
)
def test_a_mistake_gets_one_sentence(tmp_path, change, sentence) -> None:
    with pytest.raises(SiteError, match=rf"site\.toml: .*{sentence}") as refused:
        load_changed(tmp_path, change)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(".")


def swap_to(connection: dict[str, object]):
    """Return a change that replaces the first meter of the example."""

    def change(entered) -> None:
        meters = entered["accounts"][0]["points"][0]["meters"]
        new = {"serial": "ST-1002", "installed_at": SWAP, "connection": connection}
        meters.append(meters[0] | new)
        meters[0]["removed_at"] = SWAP

    return change


def test_a_swapped_meter_follows_the_old_one(tmp_path) -> None:
    site = load_changed(tmp_path, swap_to(OTHER_ADDRESS))
    old, new = site.accounts[0].points[0].meters
    assert old.removed_at == new.installed_at == SWAP


def test_a_meter_moves_to_another_point(tmp_path) -> None:
    def change(entered) -> None:
        again("accounts", 0, "points", name="Second supply", processes=[])(entered)
        one, two = entered["accounts"][0]["points"]
        one["meters"][0]["removed_at"] = SWAP
        two["meters"][0]["installed_at"] = SWAP

    here, there = load_changed(tmp_path, change).accounts[0].points
    assert here.meters[0].serial == there.meters[0].serial == "ST-1001"


def test_a_profile_of_ones_own_is_named_by_its_path_from_the_site_file(
    tmp_path, monkeypatch
) -> None:
    shipped = PROFILES / "eastron-sdm630.toml"
    text = shipped.read_text("utf-8").replace("eastron-sdm630", "acme-1")
    (tmp_path / "meters").mkdir()
    own = tmp_path / "meters" / "acme-1.toml"
    own.write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path.parent)
    site = load_changed(tmp_path, set_in(*METER, "profile", to="meters/acme-1.toml"))
    assert site.meters()[0].profile == str(own)
    assert site.meters()[0].register_digits == load_profile(own).register_digits
    own.write_text(text.replace("max_block", "most"), "utf-8")
    with pytest.raises(SiteError, match=r"profile: .*acme-1\.toml: most: is not a kn"):
        load_changed(tmp_path, set_in(*METER, "profile", to="meters/acme-1.toml"))


SAME_ADDRESS = {"transport": "modbus", "host": "192.0.2.10", "unit": 1}


SERIAL_LINE = {
    "transport": "modbus",
    "framing": "serial",
    "device": "/dev/ttyUSB0",
    "unit": 7,
}


def test_a_meter_on_a_serial_line_and_one_behind_a_device_server(tmp_path) -> None:
    line = SERIAL_LINE | {"baud_rate": 19200, "parity": "even", "stop_bits": 2}
    on_line = load_changed(tmp_path, set_in(*METER, "connection", to=line))
    assert on_line.meters()[0].connection == SerialConnection(
        device="/dev/ttyUSB0", unit=7, baud_rate=19200, parity="even", stop_bits=2
    )
    behind = load_changed(
        tmp_path, set_in(*METER, "connection", "framing", to="rtu-over-tcp")
    )
    assert behind.meters()[0].connection == ModbusConnection(
        host="192.0.2.10", unit=1, framing="rtu-over-tcp"
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        pytest.param({"port": 502}, "port: is not a known key", id="a port"),
        pytest.param(
            {"device": "socket://192.0.2.1"},
            "device: is 'socket://192.0.2.1', string should match",
            id="no file",
        ),
        pytest.param({"parity": "N"}, "parity: is 'N', should be 'none'", id="letter"),
        pytest.param({"stop_bits": 3}, "stop_bits: is 3, should be 1 or 2", id="bits"),
        pytest.param(
            {"framing": "ascii"},
            "connection: is 'ascii', should be 'tcp' or 'rtu-over-tcp' or 'serial'",
            id="ascii",
        ),
    ],
)
def test_a_mistake_of_a_serial_line_gets_one_sentence(tmp_path, line, sentence) -> None:
    to = SERIAL_LINE | line
    with pytest.raises(SiteError, match=rf"{AT_METER}\..*{sentence}"):
        load_changed(tmp_path, set_in(*METER, "connection", to=to))


def test_all_meters_of_one_line_are_spoken_to_in_one_way(tmp_path) -> None:
    def change(entered) -> None:
        again("accounts", 0, "points", name="Second supply", processes=[])(entered)
        one, two = (p["meters"][0] for p in entered["accounts"][0]["points"])
        one["connection"] = SERIAL_LINE
        two["serial"] = "ST-1002"
        two["connection"] = SERIAL_LINE | {"unit": 8, "baud_rate": 19200}

    said = (
        "meter ST-1002 is asked at 19200 baud, parity none, 1 stop bit at "
        "/dev/ttyUSB0, but meter ST-1001 at 9600 baud"
    )
    with pytest.raises(SiteError, match=said):
        load_changed(tmp_path, change)


def test_two_meters_cannot_be_one_unit_of_a_line(tmp_path) -> None:
    def change(entered) -> None:
        again("accounts", 0, "points", name="Second supply", processes=[])(entered)
        one, two = (p["meters"][0] for p in entered["accounts"][0]["points"])
        one["connection"] = two["connection"] = SERIAL_LINE
        two["serial"] = "ST-1002"

    with pytest.raises(SiteError, match="ST-1001 is still at /dev/ttyUSB0/7 when"):
        load_changed(tmp_path, change)


def test_a_swapped_meter_keeps_the_address(tmp_path) -> None:
    site = load_changed(tmp_path, swap_to(SAME_ADDRESS))
    old, new = site.accounts[0].points[0].meters
    assert old.connection == new.connection


def test_two_meters_cannot_be_at_one_address_at_one_time(tmp_path) -> None:
    def change(entered) -> None:
        again("accounts", 0, "points", name="Second supply", processes=[])(entered)
        one, two = entered["accounts"][0]["points"]
        one["meters"][0]["removed_at"] = SWAP + timedelta(seconds=1)
        two["meters"][0] |= {"serial": "ST-1002", "installed_at": SWAP}

    said = r"meter ST-1001 is still at 192\.0\.2\.10:502/1 when ST-1002 comes; give it"
    with pytest.raises(SiteError, match=said):
        load_changed(tmp_path, change)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"tariffs = [", "is not TOML: ", id="broken TOML"),
        pytest.param(b"\xff\xfe", r"is not UTF-8 text\.$", id="not UTF-8"),
        pytest.param(None, "cannot be read: No such file", id="no file"),
    ],
)
def test_what_is_no_site_file_gets_one_sentence(tmp_path, content, sentence) -> None:
    path = tmp_path / "site.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SiteError, match=rf"site\.toml: {sentence}"):
        load_site(path)
