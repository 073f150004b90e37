"""Forms of every shape that profiles, site files and settings have."""

from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr, ValidationError

from meters.form import Form, checked, read_toml, refuse_repeats, sentence


class HouseError(Exception):
    pass


class Line(Form):
    kind: Literal["line"]
    length_m: int
    price: int = Field(default_factory=lambda given: given["length_m"] * 2)


class Air(Form):
    kind: Literal["air"]


class Room(Form):
    name: str
    by: Annotated[Line | Air, Field(discriminator="kind")] | None = None
    limit: int | Literal["none"] = "none"


class House(Form):
    built: date
    rooms: tuple[Room, ...]
    zone: ZoneInfo = ZoneInfo("UTC")
    keys: dict[Literal["front", "back"], int] = Field(default_factory=dict)
    alarm: SecretStr = SecretStr("")


BUILT = {"built": date(2026, 1, 1)}


def told(entered: dict[str, object]) -> str:
    with pytest.raises(HouseError) as refused:
        checked(House.model_validate, BUILT | entered, "house.toml", HouseError)
    assert refused.value.__suppress_context__
    return str(refused.value).removeprefix("house.toml: ")


def with_rooms(*rooms: object) -> dict[str, object]:
    return {"rooms": list(rooms)}


@pytest.mark.parametrize(
    ("entered", "expected"),
    [
        ({}, "rooms: is missing."),
        (
            {"romms": []},
            "romms: is not a known key (did you mean rooms?).",
        ),
        (
            with_rooms({"name": "hall", "limt": 1}),
            "rooms[hall].limt: is not a known key.",
        ),
        # What is missing elsewhere is not what was meant here.
        (with_rooms({}) | {"nam": "Mill"}, "nam: is not a known key (and 1 more)."),
        # One value that is neither of two things is one mistake; so is a default
        # that cannot be made of it.
        (
            with_rooms({"name": "hall", "limit": "all"}),
            (
                "rooms[hall].limit: is 'all', should be a valid integer, "
                "unable to parse string as an integer."
            ),
        ),
        (
            with_rooms({"name": "hall", "by": {"kind": "line", "length_m": "far"}}),
            (
                "rooms[hall].by.length_m: is 'far', should be a valid integer, "
                "unable to parse string as an integer."
            ),
        ),
        (with_rooms({}, 7), "rooms[#1].name: is missing (and 1 more)."),
        (with_rooms(7), "rooms[#1]: is 7, should be a table."),
        ({"rooms": {}}, "rooms: is a table, should be a list."),
        ({"rooms": [], "keys": 3}, "keys: is 3, should be a table."),
        (
            with_rooms({"name": "hall", "by": {"kind": "line"}}),
            "rooms[hall].by.length_m: is missing.",
        ),
        (
            with_rooms({"name": "hall", "by": {"kind": "sea"}}),
            "rooms[hall].by.kind: is 'sea', should be 'line' or 'air'.",
        ),
        (with_rooms({"name": "hall", "by": {}}), "rooms[hall].by.kind: is missing."),
        (
            with_rooms({"name": "hall", "by": {"kind": "air", "length_m": 1}}),
            "rooms[hall].by.length_m: is not a known key.",
        ),
        (
            {"rooms": [], "zone": "Mars"},
            "zone: is 'Mars', which is no known time zone.",
        ),
        (
            {"rooms": [], "keys": {"side": 1}},
            "keys.side: is 'side', should be 'front' or 'back'.",
        ),
        (
            {"rooms": [], "built": "x" * 50},
            (
                f"built: is '{'x' * 39}…, should be a valid date or datetime, invalid "
                "character in year."
            ),
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(entered, expected) -> None:
    assert told(entered) == expected


def test_what_is_in_order_is_made() -> None:
    entered = BUILT | with_rooms({"name": "hall"})
    house = checked(House.model_validate, entered, "house.toml", HouseError)
    assert house.rooms == (Room(name="hall"),)


def test_a_secret_is_not_shown_and_a_place_has_the_callers_name() -> None:
    entered = BUILT | {"rooms": [], "alarm": ["tulip"]}
    with pytest.raises(ValidationError) as wrong:
        House.model_validate(entered)
    said = sentence(
        wrong.value, entered, name_of=lambda key: f"HOUSE_{key}", secrets=["alarm"]
    )
    assert said == "HOUSE_alarm: should be a valid string."


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
KEYS = st.sampled_from(["rooms", "by", "kind", "name", "line", "keys", "limit", "x"])
ANYTHING = st.recursive(
    PLAIN | st.sampled_from(["line", "air"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
)


@given(st.dictionaries(KEYS, ANYTHING) | st.fixed_dictionaries({"rooms": ANYTHING}))
def test_whatever_is_entered_there_is_one_sentence(entered) -> None:
    assert told(entered | {"zone": 0}).endswith(".")


def test_a_name_entered_twice_is_refused() -> None:
    refuse_repeats("room", ["hall", "attic"])
    with pytest.raises(ValueError, match=r"^room hall is entered 3 times$"):
        refuse_repeats("room", ["hall", "attic", "hall", "hall"])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read: No such file or directory."),
        (b"\xff", "is not UTF-8 text."),
        (b"rooms =", "is not TOML: Invalid value (at end of document)."),
    ],
)
def test_what_is_no_toml_file_is_one_sentence(tmp_path, content, expected) -> None:
    path = tmp_path / "house.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HouseError) as refused:
        read_toml(path, HouseError)
    assert str(refused.value) == f"{path}: {expected}"


def test_toml_is_read(tmp_path) -> None:
    path = tmp_path / "house.toml"
    path.write_text("rooms = ['Küche']", "utf-8")
    assert read_toml(path, HouseError) == {"rooms": ["Küche"]}
