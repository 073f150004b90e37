"""The published JSON Schema and the decoder say the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from meters.bounds import check
from meters.meter import Meter, Transport
from meters.payload import decode_payload, encode_batch, encode_payload
from meters.payload_schema import payload_schema, published
from meters.profile import PROFILES, MqttProfile, load_profile
from meters.quantity import QUANTITIES
from meters.reading import from_utc_us

OURS = load_profile("keywatt-json")
assert isinstance(OURS, MqttProfile)
PUBLISHED = PROFILES / "keywatt-json.schema.json"
VALIDATOR = Draft202012Validator(json.loads(PUBLISHED.read_text("utf-8")))

SERIALS = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)
INSTANTS_US = st.integers(946_684_800_000_000, 4_102_444_800_000_000)


def test_the_published_file_is_the_profiles() -> None:
    # To make it anew: python -m meters.payload_schema keywatt-json
    assert PUBLISHED.read_text("utf-8") == published(OURS)
    Draft202012Validator.check_schema(VALIDATOR.schema)


@given(
    SERIALS,
    st.lists(
        st.tuples(
            INSTANTS_US.map(from_utc_us),
            st.dictionaries(
                st.sampled_from(QUANTITIES), st.floats(-1e12, 1e12), min_size=1
            ),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_what_is_encoded_fits_the_schema(serial, readings) -> None:
    VALIDATOR.validate(json.loads(encode_payload(OURS, serial, *readings[0])))
    VALIDATOR.validate(json.loads(encode_batch(OURS, serial, readings)))


# Drawn from the schema's own words, with slips: what the schema lets pass is decoded.
TIMES = st.from_regex(
    r"2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])",
    fullmatch=True,
)
VALUE = st.none() | st.integers(-(10**16), 10**16) | st.floats() | st.booleans()
NAMES = st.sampled_from([q.value for q in QUANTITIES])
READING = st.fixed_dictionaries(
    {
        "time": TIMES | st.just("2018-01-15 13:30"),
        "values": st.dictionaries(NAMES | st.just("voltage"), VALUE, max_size=4),
    },
    optional={"note": st.text()},
)
SERIAL = st.fixed_dictionaries({}, optional={"meter": SERIALS | st.text() | VALUE})
DOCUMENT = st.builds(
    lambda envelope, body: {**envelope, **body},
    SERIAL,
    READING | st.fixed_dictionaries({"readings": st.lists(READING, max_size=3)}),
)


@given(DOCUMENT)
def test_what_the_schema_accepts_is_decoded(document) -> None:
    payload = json.dumps(document).encode()
    if b"NaN" in payload or b"Infinity" in payload or not VALIDATOR.is_valid(document):
        return
    if document["meter"].endswith("\n"):  # Python's $ lets it pass, JSON Schema's not
        return
    count = len(document.get("readings", [document]))
    assert len(decode_payload(OURS, payload)) == count


@given(SERIALS, TIMES, st.dictionaries(NAMES, st.integers(0, 10**15), min_size=1))
def test_what_is_drawn_from_the_schema_passes_both(serial, time, values) -> None:
    document = {"meter": serial, "time": time, "values": values}
    VALIDATOR.validate(document)
    assert len(decode_payload(OURS, json.dumps(document).encode())) == 1


EDGES = st.sampled_from([0.0, -0.001, 1e15, -1e15, 1.0000000000000002e15, 1e16, 1e300])


@given(
    st.sampled_from(QUANTITIES),
    EDGES.flatmap(lambda edge: st.sampled_from([edge, -edge]))
    | st.floats(allow_nan=False, allow_infinity=False),
)
def test_schema_and_bounds_take_the_same_values(quantity, value) -> None:
    at = from_utc_us(1_500_000_000_000_000)
    meter = Meter(meter_id=1, serial="a", profile=OURS.name, transport=Transport.MQTT)
    time = at.isoformat().replace("+00:00", "Z")
    document = {"meter": "a", "time": time, "values": {quantity: value}}
    is_believed = check(meter, at, {quantity: value}, at) is None
    assert VALIDATOR.is_valid(document) is is_believed


@pytest.mark.parametrize(
    "document",
    [
        {"time": "2018-01-15T04:30:00Z", "values": {"voltage_l1_v": 1}},
        {"meter": "a", "time": "2018-01-15T04:30:00", "values": {"voltage_l1_v": 1}},
        {"meter": "a", "time": "2018-01-15T04:30:00Z", "values": {}},
        {
            "meter": "a",
            "time": "2018-01-15T04:30:00Z",
            "values": {"frequency_hz": None},
        },
        {"meter": "a", "time": "2018-01-15T04:30:00Z", "values": {"hertz": 50}},
        {"meter": "a", "readings": []},
    ],
)
def test_what_the_decoder_refuses_the_schema_refuses(document) -> None:
    assert not VALIDATOR.is_valid(document)


def test_another_form_has_no_schema() -> None:
    lenient = OURS.model_copy(update={"batch": None})
    with pytest.raises(ValueError, match="has a form that this schema does not tell"):
        payload_schema(lenient)
