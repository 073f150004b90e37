"""When something was measured, as meters write it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.payload import PayloadError, decode_payload, encode_payload, split_payload
from meters.profile import MqttProfile
from meters.quantity import Quantity
from meters.reading import from_utc_us
from meters.refusal import Reason

NOON = datetime(2018, 1, 15, 12, tzinfo=UTC)
VOLTS = {Quantity.VOLTAGE_L1_V: 230.0}
INSTANTS_S = st.integers(946_684_800, 4_102_444_800)


def profile(**changes) -> MqttProfile:
    form = {
        "name": "acme",
        "title": "Acme",
        "manual": {"document": "Acme", "revision": "1"},
        "transport": "mqtt",
        "topic": "acme/{serial}",
        "measured_at": "t",
        "register_digits": 8,
        "register_resolution": 0.01,
        "fields": [{"quantity": "voltage_l1_v", "path": "u"}],
    }
    return MqttProfile.model_validate(form | changes)


def time_of(value: str, arrived_at=None, **changes) -> datetime:
    payload = f'{{"t": {value}, "u": 230}}'.encode()
    (parsed,) = decode_payload(profile(**changes), payload, arrived_at)
    return parsed.measured_at


@pytest.mark.parametrize(
    ("value", "changes", "expected"),
    [
        # 2018-01-15T12:00:00Z: 17546 days of 86400 s, and half a day.
        ("1516017600", {"time_format": "unix-s"}, NOON),
        ("1516017600.25", {"time_format": "unix-s"}, NOON + timedelta(seconds=0.25)),
        ("1516017600250", {"time_format": "unix-ms"}, NOON + timedelta(seconds=0.25)),
        ('"1516017600"', {"time_format": "unix-s", "numbers": "text"}, NOON),
        ('"2018-01-15T13:00:00"', {"zone": "Europe/Berlin"}, NOON),
        ('"2018-01-15 20:00"', {"zone": "Asia/Shanghai"}, NOON),
        # An offset that is there counts more than the zone.
        ('"2018-01-15T12:00:00Z"', {"zone": "Asia/Shanghai"}, NOON),
    ],
)
def test_a_time_is_read(value, changes, expected) -> None:
    assert time_of(value, **changes) == expected


@pytest.mark.parametrize(
    ("value", "changes", "said"),
    [
        ("true", {"time_format": "unix-s"}, "t is True, not seconds since 1970."),
        ('"1516017600"', {"time_format": "unix-s"}, "'1516017600', not seconds since"),
        ("1e400", {"time_format": "unix-s"}, "t is inf, not seconds since 1970."),
        ("NaN", {"time_format": "unix-ms"}, "t is nan, not milliseconds since 1970."),
        ("9" * 400, {"time_format": "unix-ms"}, "beyond all measure, not milliseconds"),
        ('"2018-01-15"', {"zone": "UTC"}, "t is '2018-01-15', a date without a time."),
        ('"noon"', {"zone": "UTC"}, "t is 'noon', not an ISO 8601 time."),
        ("null", {"zone": "UTC"}, "t is null, not an ISO 8601 time."),
    ],
)
def test_what_is_no_time_is_refused(value, changes, said) -> None:
    with pytest.raises(PayloadError) as caught:
        time_of(value, **changes)
    assert caught.value.reason is Reason.NOT_IN_SCHEMA
    assert said in caught.value.text


@pytest.mark.parametrize(
    ("shown", "arrived", "expected"),
    [
        # On 28 October 2018 Berlin showed 02:30 twice: at 00:30 and at 01:30 UTC.
        ("2018-10-28T02:30:00", "2018-10-28T00:30:05+00:00", "2018-10-28T00:30:00"),
        ("2018-10-28T02:30:00", "2018-10-28T01:30:05+00:00", "2018-10-28T01:30:00"),
        # Without an arrival the first one.
        ("2018-10-28T02:30:00", None, "2018-10-28T00:30:00"),
        # On 25 March 2018 it showed no 02:30; a clock that follows late does, at 01:30
        # UTC, and one that is early at 00:30.
        ("2018-03-25T02:30:00", "2018-03-25T01:30:05+00:00", "2018-03-25T01:30:00"),
        ("2018-03-25T02:30:00", "2018-03-25T00:30:05+00:00", "2018-03-25T00:30:00"),
    ],
)
def test_the_arrival_tells_which_of_two_hours(shown, arrived, expected) -> None:
    arrived_at = None if arrived is None else datetime.fromisoformat(arrived)
    moment = time_of(f'"{shown}"', arrived_at, zone="Europe/Berlin")
    assert moment == datetime.fromisoformat(f"{expected}+00:00")


@given(
    INSTANTS_S,
    st.integers(-20 * 60, 20 * 60),
    st.sampled_from(
        ["Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "UTC"]
    ),
)
def test_a_wall_clock_is_right_all_year(second, delay_s, zone) -> None:
    # Clocks change by half an hour or by a whole one: a message that comes within less
    # than half of that tells the two apart.
    measured_at = from_utc_us(second * 1_000_000)
    late_s = delay_s / 2 if zone == "Australia/Lord_Howe" else delay_s
    acme = profile(zone=zone)
    payload = encode_payload(acme, "a", measured_at, VOLTS)
    (parsed,) = decode_payload(acme, payload, measured_at + timedelta(seconds=late_s))
    assert parsed.measured_at == measured_at


@given(INSTANTS_S, st.sampled_from(["unix-s", "unix-ms", "iso8601"]), st.booleans())
def test_a_time_is_read_as_it_was_written(second, time_format, is_text) -> None:
    measured_at = from_utc_us(second * 1_000_000 + 250_000)
    acme = profile(time_format=time_format, numbers="text" if is_text else "number")
    (parsed,) = decode_payload(acme, encode_payload(acme, "a", measured_at, VOLTS))
    assert parsed.measured_at == measured_at
    assert parsed.values == VOLTS


def test_what_has_no_time_is_of_its_arrival_if_it_was_not_kept() -> None:
    acme = profile(measured_at="arrival")
    (parsed,) = decode_payload(acme, b'{"u": 230}', NOON)
    assert parsed.measured_at == NOON
    with pytest.raises(ValueError, match="acme needs to know when a message came"):
        decode_payload(acme, b'{"u": 230}')
    with pytest.raises(PayloadError, match="had retained this message") as caught:
        split_payload(acme, b'{"u": 230}', NOON, is_retained=True)
    assert caught.value.reason is Reason.RETAINED


def test_what_the_broker_kept_counts_where_it_says_when() -> None:
    payload = encode_payload(profile(), "a", NOON, VOLTS)
    late = NOON + timedelta(hours=5)
    readings, refused = split_payload(profile(), payload, late, is_retained=True)
    assert [one.measured_at for one in readings] == [NOON]
    assert not refused
