"""Plain JSON payloads straight to rows of numbers, many times a second. Pure.

A plain payload has all its quantities side by side in one object, in the house's units,
and its meter and time beside them, as `keywatt-json` has. What is not plain, or not
right in any way, is left to `meters.payload`, which also says what is wrong with it:
whatever is read here, it would read the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic_core import from_json

from meters.mqtt_profile import MqttProfile
from meters.quantity import QUANTITIES

Row = Sequence[float]
"""One reading's values by column, as in `QUANTITIES`; NaN = not given."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NUMBERS = frozenset({int, float})
_NAN_ROW = (math.nan,) * len(QUANTITIES)


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads the payloads of one plain profile."""

    serial: str
    batch: str | None
    measured_at: str
    values: str
    """Field that holds the quantities."""
    names: tuple[str, ...]
    """Field of each quantity, by column."""
    known: frozenset[str]
    max_bytes: int
    max_readings: int
    single_fields: frozenset[str]
    item_fields: frozenset[str]

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
        before = len(rows)
        try:
            if self._read(payload, serial, times_us, rows):
                return True
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            pass  # one of them for each way in which it can be something else
        del times_us[before:], rows[before:]
        return False

    def _read(
        self, payload: bytes, serial: str, times_us: list[int], rows: list[Row]
    ) -> bool:
        if len(payload) > self.max_bytes:
            return False
        found = from_json(payload, allow_inf_nan=False)
        items, fields = [found], self.single_fields
        if found.keys() != fields:
            items, fields = found[self.batch], self.item_fields
            if len(found) != 2 or not 0 < len(items) <= self.max_readings:  # noqa: PLR2004 - the meter and its readings
                return False
        if found[self.serial] != serial:
            return False
        names, known, at, where = self.names, self.known, self.measured_at, self.values
        for item in items:
            values = item[where]
            moment = datetime.fromisoformat(item[at])
            row = tuple(map(values.get, names, _NAN_ROW))
            if (
                not values
                or item.keys() != fields
                or not values.keys() <= known
                or not _NUMBERS.issuperset(map(type, row))
            ):
                return False
            # A time without a zone cannot be compared: TypeError.
            times_us.append((moment - _EPOCH) // _MICROSECOND)
            rows.append(row)
        return True


def row_reader(profile: MqttProfile) -> RowReader | None:
    """Return a reader of a profile's payloads; None if they are not plain."""
    parents = {field.path.rpartition(".")[0] for field in profile.fields}
    plain = (
        len(parents) == 1
        and "." not in "".join(parents)
        and all(field.scale == 1 for field in profile.fields)
        and profile.serial is not None
        and "." not in profile.serial + profile.measured_at
    )
    values = parents.pop()
    if not plain or not values or profile.serial is None:
        return None
    name_of = {f.quantity: f.path.rpartition(".")[2] for f in profile.fields}
    return RowReader(
        serial=profile.serial,
        batch=profile.batch,
        measured_at=profile.measured_at,
        values=values,
        # No field of JSON has an empty path, so an absent quantity finds nothing.
        names=tuple(name_of.get(quantity, "") for quantity in QUANTITIES),
        known=frozenset(name_of.values()),
        max_bytes=profile.max_bytes,
        max_readings=profile.max_readings,
        single_fields=frozenset({profile.serial, profile.measured_at, values}),
        item_fields=frozenset({profile.measured_at, values}),
    )
