"""JSON Schema of a payload profile, for those who write meters' firmware. Pure.

`python -m meters.payload_schema keywatt-json` prints the published file.
"""

import json
import sys

from meters.bounds import GREATEST
from meters.mqtt_profile import MqttProfile
from meters.profile import load_profile

Json = dict[str, "Json | list[Json] | list[str] | str | int | bool"]

# RFC 3339 with the zone it demands. [0-9], since \d is any script's digit. A date
# that the calendar lacks, such as 30 February, passes here and is refused all the same.
_TIME = (
    r"^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)

_GREATEST = int(GREATEST)


def payload_schema(profile: MqttProfile) -> Json:
    """Return the JSON Schema that says what payloads a profile takes.

    Raises
    ------
    ValueError
        If the profile's form is another than the house's: nested deeper, or lenient.

    """
    groups = {field.path.partition(".")[0] for field in profile.fields}
    flat = all(field.path.count(".") == 1 for field in profile.fields)
    if (
        len(groups) != 1
        or not flat
        or profile.batch is None
        or profile.serial is None
        or profile.measured_at is None
    ):
        raise ValueError(f"{profile.name} has a form that this schema does not tell")
    (group,) = groups
    values: Json = {
        "type": "object",
        "description": "In the unit that each name ends in; null was not measured.",
        "properties": {
            field.path.partition(".")[2]: _number(field.quantity.is_register)
            for field in profile.fields
        },
        "additionalProperties": False,
        # At least one was measured.
        "not": {"additionalProperties": {"type": "null"}},
    }
    definitions: Json = {
        "serial": {"type": "string", "pattern": r"^[A-Za-z0-9._-]{1,64}$"},
        "time": {"type": "string", "format": "date-time", "pattern": _TIME},
        "values": values,
        "ratio": {
            "type": ["number", "null"],
            "description": "As it was set in the meter: 80 for 400/5.",
            "exclusiveMinimum": 0,
        },
    }
    reading: Json = {
        profile.measured_at: {"$ref": "#/$defs/time"},
        group: {"$ref": "#/$defs/values"},
    }
    serial: Json = {profile.serial: {"$ref": "#/$defs/serial"}}
    stated: Json = {one.path: {"$ref": "#/$defs/ratio"} for one in profile.ratio}
    several: Json = {
        profile.batch: {"type": "array", "minItems": 1, "items": _closed(reading)}
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": profile.title,
        "description": "One reading of a meter, or several of the same meter.",
        "oneOf": [
            _closed({**serial, **reading}, stated),
            _closed({**serial, **several}, stated),
        ],
        "$defs": definitions,
    }


def _number(is_register: bool) -> Json:  # noqa: FBT001 - one property of a quantity
    """Say what a value may be: energy registers count up from 0."""
    least = 0 if is_register else -_GREATEST
    return {"type": ["number", "null"], "minimum": least, "maximum": _GREATEST}


def _closed(properties: Json, optional: Json | None = None) -> Json:
    """Return an object with all of these fields, perhaps those, and no other."""
    return {
        "type": "object",
        "properties": {**properties, **(optional or {})},
        "required": list(properties),
        "additionalProperties": False,
    }


def published(profile: MqttProfile) -> str:
    """Return the text of the published file."""
    return json.dumps(payload_schema(profile), indent=2) + "\n"


if __name__ == "__main__":
    chosen = load_profile(sys.argv[1])
    if isinstance(chosen, MqttProfile):
        sys.stdout.write(published(chosen))
