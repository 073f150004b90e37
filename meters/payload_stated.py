"""What a JSON payload states of its meter: units, and the ratios set in it. Pure."""

from meters.gathered import Gathered, Leaf
from meters.mqtt_profile import PayloadField, StatedRatio
from meters.numeric_text import number_in
from meters.payload_error import not_in_schema, short
from meters.unit import check_unit

_GREATEST_RATIO = 1e9
"""What is beyond was not set by anybody."""


def unit_leaf(one: PayloadField, path: str) -> Leaf:
    """Make the reader of the text that states a value's unit."""

    def take(_reading: Gathered, value: object) -> None:
        if value is None:
            return
        if type(value) is not str:
            raise not_in_schema(f"{path} is {short(value)}, not the name of a unit.")
        check_unit(value, one.quantity, one.scale, one.path)

    return take


def ratio_leaf(one: StatedRatio, *, is_text_right: bool) -> Leaf:
    """Make the reader of a ratio that was set in the meter."""
    path, name = one.path, one.name

    def take(reading: Gathered, value: object) -> None:
        number = number_in(value) if is_text_right else value
        if number is None:
            return
        if not (type(number) is float or type(number) is int):
            raise not_in_schema(f"{path} is {short(value)}, not a ratio.")
        if reading.ratios is None:
            reading.ratios = {}
        if 0 < number < _GREATEST_RATIO:
            reading.ratios[name] = float(number)

    return take
