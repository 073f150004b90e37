import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.counting.counts import Counts
from collector.mqtt.intake import Intake
from collector.mqtt.packets import Message
from meters.listening import Wanted
from meters.meter import Meter, Transport
from meters.profile import load_profile
from meters.quantity import Quantity
from meters.refusal import MOST_RAW_BYTES, Reason
from meters.sparkplug_edge import SparkplugEdge
from meters.unpack import packed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOPIC = "keywatt/meters/KW-1/reading"
METER = Meter(
    meter_id=1,
    serial="KW-1",
    profile="keywatt-json",
    transport=Transport.MQTT,
    installed_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def payload(serial="KW-1", time="2026-03-01T11:45:00Z", **values) -> bytes:
    values = values or {"energy_import_kwh": 12.5}
    return json.dumps({"meter": serial, "time": time, "values": values}).encode()


def judged(topic: str, message: bytes):
    counts = Counts()
    intake = Intake(lambda: NOW, counts)
    intake.bind([METER])
    return intake.parcel([sent(topic, message)], lambda: None), counts


def sent(topic: str, message: bytes) -> Message:
    return Message(topic, message, 1, is_retained=False, size=len(message))


def test_a_good_message_is_a_reading() -> None:
    parcel, counts = judged(TOPIC, payload())
    (reading,) = parcel.batch.readings()
    assert reading.meter_id == 1
    assert reading.measured_at == datetime(2026, 3, 1, 11, 45, tzinfo=UTC)
    assert reading.received_at == NOW
    assert reading.values == {Quantity.ENERGY_IMPORT_KWH: 12.5}
    assert (counts.asked, counts.answered, counts.waiting) == (1, 1, 1)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(b"\xff\xfe{", Reason.NOT_JSON, id="not JSON"),
        pytest.param(b"[" * 100_000, Reason.NOT_JSON, id="nested without end"),
        pytest.param(b" " * 300_000, Reason.TOO_LARGE, id="too large"),
        pytest.param(b"[]", Reason.NOT_IN_SCHEMA, id="not an object"),
        pytest.param(
            payload(energy_import_kwh=float("nan")), Reason.NOT_A_NUMBER, id="NaN"
        ),
        pytest.param(
            payload(energy_import_kwh=-0.1), Reason.NEGATIVE_ENERGY, id="negative"
        ),
        pytest.param(
            payload(energy_import_kwh=10**400), Reason.NOT_A_NUMBER, id="400 digits"
        ),
        pytest.param(
            payload(energy_import_kwh=2e15), Reason.OUT_OF_RANGE, id="out of range"
        ),
        pytest.param(
            payload(time="2026-03-01T14:00:01Z"), Reason.FAR_FUTURE, id="far future"
        ),
        pytest.param(
            payload(time="2025-12-31T23:59:59Z"),
            Reason.BEFORE_INSTALLATION,
            id="before installation",
        ),
        pytest.param(payload("KW-2"), Reason.WRONG_TOPIC, id="speaks for another"),
    ],
)
def test_a_bad_message_is_refused_with_its_reason_and_bytes(message, reason) -> None:
    parcel, counts = judged(TOPIC, message)
    assert not len(parcel.batch)
    (refusal,) = parcel.refusals
    assert refusal.reason is reason
    assert (refusal.source, refusal.meter_id) == (TOPIC, 1)
    assert refusal.raw == message[:MOST_RAW_BYTES]
    assert counts.answered == 1


def test_what_came_together_is_judged_each_for_itself() -> None:
    good = [payload(energy_import_kwh=n) for n in range(3)]
    bad = [payload(energy_import_kwh=-1), payload(energy_import_kwh=10**400), b"{"]
    counts = Counts()
    intake = Intake(lambda: NOW, counts)
    intake.bind([METER])
    mixed = [sent(TOPIC, one) for pair in zip(good, bad, strict=True) for one in pair]
    parcel = intake.parcel(mixed, lambda: None)
    kept = [r.values[Quantity.ENERGY_IMPORT_KWH] for r in parcel.batch.readings()]
    assert sorted(kept) == [0, 1, 2]
    assert sorted(refusal.reason for refusal in parcel.refusals) == [
        Reason.NEGATIVE_ENERGY,
        Reason.NOT_A_NUMBER,
        Reason.NOT_JSON,
    ]
    assert counts.answered == 6


def test_messages_that_came_together_are_done_when_the_last_of_them_is() -> None:
    done: list[str] = []
    intake = Intake(lambda: NOW, Counts())
    intake.bind([METER])
    messages = [sent(TOPIC, payload()), sent("keywatt/meters/KW-9/reading", b"{}")]
    parcel = intake.parcel(messages, lambda: done.append("all"))
    parcel.done()
    assert done == []
    (refused,) = intake.released(1)
    refused.done()
    assert done == ["all"]


def test_a_message_that_was_not_read_to_its_end_is_too_large() -> None:
    cut = Message(TOPIC, b"{" * MOST_RAW_BYTES, 1, is_retained=False, size=10**7)
    intake = Intake(lambda: NOW, Counts())
    intake.bind([METER])
    (refusal,) = intake.parcel([cut], lambda: None).refusals
    assert refusal.reason is Reason.TOO_LARGE
    assert "10000000 bytes" in refusal.text


def test_an_unknown_meter_is_refused_by_its_topic() -> None:
    counts = Counts()
    intake = Intake(lambda: NOW, counts)
    intake.bind([METER])
    topic = "keywatt/meters/KW-9/reading"
    assert intake.parcel([sent(topic, payload("KW-9"))], lambda: None) is None
    # Looked up already when it came: it may have been entered since.
    assert intake.released(0) == []
    assert (intake.held, counts.asked) == (1, 0)
    (parcel,) = intake.released(1)
    assert (intake.held, counts.asked) == (0, 1)
    (refusal,) = parcel.refusals
    assert refusal.reason is Reason.UNKNOWN_METER
    assert refusal.meter_id is None
    assert "keywatt/meters/KW-9/reading" in refusal.text


def test_messages_of_a_meter_entered_meanwhile_are_released_in_their_order() -> None:
    times = [NOW]
    intake = Intake(lambda: times[-1], Counts())
    intake.bind([])
    for energy in (1.0, 2.0):
        held = payload(energy_import_kwh=energy)
        assert intake.parcel([sent(TOPIC, held)], lambda: None) is None
    times.append(NOW + timedelta(minutes=1))
    intake.bind([METER])
    parcels = intake.released(1)  # the second came while the meters were read
    readings = [reading for parcel in parcels for reading in parcel.batch.readings()]
    assert [r.values[Quantity.ENERGY_IMPORT_KWH] for r in readings] == [1.0, 2.0]
    assert {r.received_at for r in readings} == {NOW}
    assert intake.parcel([sent(TOPIC, payload())], lambda: None) is not None


def test_of_a_batch_only_the_bad_ones_are_refused() -> None:
    good = [
        {"time": f"2026-03-01T11:{m:02}:00Z", "values": {"energy_import_kwh": m}}
        for m in range(3)
    ]
    late = {"time": "2027-01-01T00:00:00Z", "values": {"energy_import_kwh": 3}}
    text = {"time": "2026-03-01T11:04:00Z", "values": {"energy_import_kwh": "4"}}
    batch = {"meter": "KW-1", "readings": [*good, late, text]}
    parcel, counts = judged(TOPIC, json.dumps(batch).encode())
    readings = parcel.batch.readings()
    assert [r.values[Quantity.ENERGY_IMPORT_KWH] for r in readings] == [0, 1, 2]
    assert sorted(r.reason for r in parcel.refusals) == [
        Reason.FAR_FUTURE,
        Reason.NOT_IN_SCHEMA,
    ]
    assert counts.answered == 5


def test_one_message_is_refused_once_for_each_reason() -> None:
    # 1600 bad ones in 93 KB: one row of 64 KiB for each reason, not 1600 of them.
    time = "2026-03-01T11:04:00Z"
    text = [{"time": time, "values": {"energy_import_kwh": "4"}}] * 1000
    negative = [{"time": time, "values": {"energy_import_kwh": -1}}] * 600
    batch = {"meter": "KW-1", "readings": [*text, *negative]}
    message = json.dumps(batch).encode()
    parcel, counts = judged(TOPIC, message)
    first, second = parcel.refusals
    assert (first.reason, first.readings) == (Reason.NOT_IN_SCHEMA, 1000)
    assert first.text == (
        "readings 1 of 1600: values.energy_import_kwh is '4', not a number "
        "(and 999 more)."
    )
    assert (second.reason, second.readings) == (Reason.NEGATIVE_ENERGY, 600)
    assert second.text == (
        "energy_import_kwh is -1.0, but a register counts up from 0 (and 599 more)."
    )
    assert first.raw == message[:MOST_RAW_BYTES]
    assert first.raw is second.raw
    assert counts.answered == 1600


def test_a_message_of_too_many_readings_is_refused_as_a_whole() -> None:
    batch = {"meter": "KW-1", "readings": [0] * 80_000}
    parcel, counts = judged(TOPIC, json.dumps(batch, separators=(",", ":")).encode())
    (refusal,) = parcel.refusals
    assert (refusal.reason, refusal.readings) == (Reason.TOO_LARGE, 80_000)
    assert refusal.text == "readings holds 80000 readings, more than 5000."
    assert counts.answered == 80_000


def test_topics_of_the_houses_profiles_are_listened_to_without_any_meter() -> None:
    topics = [wanted.topic for wanted in Intake(lambda: NOW, Counts()).bind([])]
    assert "keywatt/meters/+/reading" in topics


def test_a_meter_without_a_usable_profile_is_said_once_and_left_out(caplog) -> None:
    intake = Intake(lambda: NOW, Counts())
    lost = Meter(
        meter_id=2, serial="KW-2", profile="none-such", transport=Transport.MQTT
    )
    for _ in range(3):
        intake.bind([lost, METER])
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "mqtt:KW-2 cannot be listened to: There is no profile 'none-such'"
    )
    assert len(intake.parcel([sent(TOPIC, payload())], lambda: None).batch) == 1
    intake.bind([replace(lost, profile=METER.profile), METER])
    intake.bind([lost, METER])
    assert len(caplog.records) == 2  # mended meanwhile: news again


def test_what_the_broker_retained_is_not_stamped_on_arrival() -> None:
    counts = Counts()
    intake = Intake(lambda: NOW, counts)
    wanted = intake.bind([replace(METER, profile="shelly-em-gen2")])
    assert wanted[0] == Wanted("+/events/rpc")
    topic, message = "KW-1/status/em:0", b'{"a_voltage": 230.5}'
    fresh = intake.parcel([sent(topic, message)], lambda: None)
    assert [reading.measured_at for reading in fresh.batch.readings()] == [NOW]
    kept = sent(topic, message)._replace(is_retained=True)
    stale = intake.parcel([kept], lambda: None)
    assert not len(stale.batch)
    assert [refusal.reason for refusal in stale.refusals] == [Reason.RETAINED]
    assert counts.answered == 2


def test_a_rebirth_is_asked_for_by_whoever_can_publish() -> None:
    asked, done = [], []
    intake = Intake(
        lambda: NOW, Counts(), lambda topic, message: asked.append((topic, message))
    )
    edge = SparkplugEdge(load_profile("sparkplug-b"), "keywatt", "N")
    intake.bind([replace(METER, profile="sparkplug-b", serial="N.1")])
    values = {Quantity.ENERGY_IMPORT_KWH: 12.5}
    births = edge.birth(NOW, {"1": values})
    refused = intake.parcel(
        [sent(*edge.data("1", [(NOW, values)]))], lambda: done.append(1)
    )
    assert [(r.reason, r.meter_id) for r in refused.refusals] == [(Reason.NO_BIRTH, 1)]
    ((topic, message),) = asked
    assert topic == "spBv1.0/keywatt/NCMD/N"
    assert b"Node Control/Rebirth" in message
    parcels = [intake.parcel([sent(*one)], lambda: done.append(1)) for one in births]
    assert [len(parcel.batch) for parcel in parcels] == [0, 1]
    # A birth without readings is acknowledged, too.
    for parcel in (refused, *parcels):
        parcel.done()
    assert len(done) == 3


def test_readings_of_several_meters_are_judged_by_their_own_meters() -> None:
    intake = Intake(lambda: NOW, Counts())
    one = replace(METER, serial="gw7.11", profile="generic-gateway")
    other = replace(one, meter_id=2, serial="gw7.12", installed_at=NOW)
    intake.bind([one, other])
    hour_ago = int((NOW - timedelta(hours=1)).timestamp() * 1000)
    said = [{"id": n, "at": hour_ago, "reg": {"a+": n}} for n in (11, 12)]
    message = json.dumps({"data": {"meters": said}}).encode()
    parcel = intake.parcel([sent("acme/gw7/state", message)], lambda: None)
    assert parcel.batch.meter_id.tolist() == [1]
    (refusal,) = parcel.refusals
    assert (refusal.meter_id, refusal.reason) == (2, Reason.BEFORE_INSTALLATION)


def test_a_meter_that_fits_no_topic_is_said_once(caplog) -> None:
    intake = Intake(lambda: NOW, Counts())
    for _ in range(2):
        intake.bind([replace(METER, profile="sparkplug-b")])
    (record,) = caplog.records
    assert record.getMessage() == (
        "mqtt:KW-1 cannot be listened to: KW-1 is no serial number of profile "
        "sparkplug-b ({node}.{device})."
    )


def test_a_packed_message_of_a_plain_meter_is_read() -> None:
    for kind in ("gzip", "zstd"):
        parcel, counts = judged(TOPIC, packed(payload(), kind))
        (reading,) = parcel.batch.readings()
        assert reading.values == {Quantity.ENERGY_IMPORT_KWH: 12.5}
        assert counts.answered == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(
    message=st.binary()
    | JSON.map(lambda found: json.dumps(found).encode())
    | st.fixed_dictionaries(
        {"meter": JSON, "time": JSON, "values": JSON}, optional={"readings": JSON}
    ).map(lambda found: json.dumps(found).encode())
)
def test_nothing_a_meter_sends_raises(message) -> None:
    parcel, counts = judged(TOPIC, message)
    assert parcel.size >= 1
    assert counts.answered >= 1
