"""Plain JSON payloads straight to rows of numbers, many times a second. Pure.

A plain payload has all its quantities side by side in one object, in the house's units,
and its meter and time beside them, as `keywatt-json` has. What is not plain, or not
right in any way, is left to `meters.payload`, which also says what is wrong with it:
whatever is read here, it would read the same. The only file that imports msgspec.
"""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import starmap
from operator import itemgetter
from typing import Any

import msgspec
from msgspec.structs import astuple

from meters.json_path import parse_path
from meters.mqtt_profile import MqttProfile
from meters.quantity import QUANTITIES, Quantity

Row = bytes
"""One reading's values by column, as in `QUANTITIES`: doubles, NaN = not given. An
array is made of bytes far sooner than of Python's numbers."""

_Values = tuple[float | None, ...]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_pack = struct.Struct(f"{len(QUANTITIES)}d").pack


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads the payloads of one plain profile."""

    decoder: "msgspec.json.Decoder[Any]"  # Any: of a type made from the profile
    max_bytes: int
    max_readings: int
    columns: Callable[[_Values], _Values] | None
    """Lays the values out by column; None where they are that already."""

    def read(
        self, payload: bytes, serial: str, times_us: list[int], rows: list[Row]
    ) -> bool:
        """Add the readings of a payload, all of them or none.

        Parameters
        ----------
        payload : bytes
            As it came.
        serial : str
            Of the meter whose topic it came on.
        times_us, rows : list
            Get the measured time and the values of each reading.
            [microseconds since 1970 UTC]

        Returns
        -------
        bool
            Whether it was plain and right, as far as one reading shows. What values
            and times may be is checked on all rows at once (`meters.bounds`).

        """
        if len(payload) > self.max_bytes:
            return False
        try:
            found = self.decoder.decode(payload)
            items = (found,) if found.batch is None else found.batch
            if (
                found.serial != serial
                or not 0 < len(items) <= self.max_readings
                or (items is found.batch and (found.time or found.values))
            ):
                return False
            # A time without a zone cannot be subtracted, nor one that is absent.
            at_us = [
                (datetime.fromisoformat(item.time) - _EPOCH) // _MICROSECOND
                for item in items
            ]
            read = self._rows([astuple(item.values) for item in items])
        except (ValueError, TypeError, OverflowError):  # msgspec's own are ValueErrors
            return False
        times_us += at_us
        rows += read
        return True

    def _rows(self, found: Sequence[_Values]) -> list[Row]:
        if self.columns is not None:
            found = [self.columns((*values, math.nan)) for values in found]
        try:
            return list(starmap(_pack, found))
        except struct.error:  # some are null
            return [_pack(*map(_or_nan, values)) for values in found]


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def row_reader(profile: MqttProfile) -> RowReader | None:
    """Return a reader of a profile's payloads; None if they are not plain."""
    beside = [profile.serial, profile.measured_at, profile.batch or "batch"]
    inside = [parse_path(field.path) for field in profile.fields]
    plain = (
        profile.format == "json"
        and not profile.more
        and profile.unknown_fields == "refuse"
        and profile.no_value == "refuse"
        and profile.numbers == "number"
        and profile.time_format == "iso8601"
        and profile.zone is None
        and not profile.is_stamped_on_arrival
        and profile.item_serial is None
        and all(field.scale == 1 for field in profile.fields)
        and all(field.if_list == "refuse" for field in profile.fields)
        and all(path and _is_name(path) for path in beside)
        and all(len(path) == len(("values", "name")) for path in inside)
        and len({path[0] for path in inside}) == 1
        and all(isinstance(step, str) for path in inside for step in path)
    )
    if not plain:
        return None
    try:
        decoder = msgspec.json.Decoder(_message_type(profile, str(inside[0][0])))
    except ValueError:  # a name that msgspec has for no field, such as one with quotes
        return None
    known = _known(profile)
    places = [known.index(q) if q in known else len(known) for q in QUANTITIES]
    columns = None if len(known) == len(QUANTITIES) else itemgetter(*places)
    return RowReader(decoder, profile.max_bytes, profile.max_readings, columns)


def _known(profile: MqttProfile) -> list[Quantity]:
    """Return the quantities that a profile has, by column."""
    given = {field.quantity for field in profile.fields}
    return [quantity for quantity in QUANTITIES if quantity in given]


def _is_name(path: str) -> bool:
    """Whether a path is the plain name of a field of the document."""
    return parse_path(path) == (path,)


def _message_type(profile: MqttProfile, values: str) -> type[msgspec.Struct]:
    """Make the type of a profile's payloads, a reading alone or several."""
    name_of = {
        field.quantity: str(parse_path(field.path)[-1]) for field in profile.fields
    }
    number = float | None
    values_type = msgspec.defstruct(
        "Values",
        [(quantity.value, number, math.nan) for quantity in _known(profile)],
        rename={quantity.value: name for quantity, name in name_of.items()},
        forbid_unknown_fields=True,
        gc=False,
    )
    times = [("time", str | None, None), ("values", values_type | None, None)]
    item_type = msgspec.defstruct(
        "Item",
        times,
        rename={"time": str(profile.measured_at), "values": values},
        forbid_unknown_fields=True,
        gc=False,
    )
    names = {
        "serial": str(profile.serial),
        "time": str(profile.measured_at),
        "values": values,
    }
    fields: list[tuple[str, Any, Any]] = [("serial", str, ""), *times]
    if profile.batch is not None:
        names["batch"] = profile.batch
        fields.append(("batch", list[item_type] | None, None))  # type: ignore[valid-type]
    return msgspec.defstruct(
        "Message",
        fields,
        rename=names,
        namespace={} if profile.batch else {"batch": None},
        forbid_unknown_fields=True,
        gc=False,
    )
