"""Times as payloads write them. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from meters.gathered import Gathered, Leaf
from meters.mqtt_profile import MessageForm
from meters.numeric_text import number_in
from meters.payload_error import not_in_schema, short

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = len("2018-01-15")

_Reader = Callable[[object, datetime | None], datetime]


def time_leaf(form: MessageForm, path: str) -> Leaf:
    """Make the reader of the field that says when."""
    if form.time_format == "iso8601":
        read = _iso_reader(path, form.zone)
    else:
        unit = "seconds" if form.time_format == "unix-s" else "milliseconds"
        read = _unix_reader(path, unit, is_text_right=form.numbers == "text")

    def take(reading: Gathered, value: object) -> None:
        reading.measured_at = read(value, reading.arrived_at)

    return take


def _iso_reader(path: str, zone: str | None) -> _Reader:
    """Read ISO 8601, where need be by the zone of the meter's wall clock."""
    local = None if zone is None else ZoneInfo(zone)

    def read(value: object, arrived_at: datetime | None) -> datetime:
        if type(value) is not str:
            raise not_in_schema(f"{path} is {short(value)}, not an ISO 8601 time.")
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
            if local is not None and len(value) > _DATE:
                return _from_wall_clock(moment, local, arrived_at)
        except (ValueError, OverflowError):
            raise not_in_schema(
                f"{path} is {short(value)}, not an ISO 8601 time."
            ) from None
        raise not_in_schema(
            f"{path} is {short(value)}, without a time zone."
            if local is None
            else f"{path} is {short(value)}, a date without a time."
        )

    return read


def _from_wall_clock(
    shown: datetime, zone: ZoneInfo, arrived_at: datetime | None
) -> datetime:
    """Turn what a meter's wall clock shows into UTC.

    In autumn an hour comes twice, in spring one is left out, and clocks follow late:
    of the two readings of such an hour it is the one nearest to the arrival.
    """
    first, second = (
        shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)
    )
    if arrived_at is None or first == second:
        return first
    return min(first, second, key=lambda moment: abs(arrived_at - moment))


def _unix_reader(path: str, unit: str, *, is_text_right: bool) -> _Reader:
    """Read seconds or milliseconds since 1970 in UTC."""

    def read(value: object, _arrived_at: datetime | None) -> datetime:
        count = number_in(value) if is_text_right else value
        if type(count) is int or type(count) is float:
            try:
                return _EPOCH + timedelta(**{unit: count})
            except (OverflowError, ValueError):  # ValueError of NaN
                pass
        raise not_in_schema(f"{path} is {short(value)}, not {unit} since 1970.")

    return read
