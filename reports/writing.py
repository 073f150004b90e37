"""How figures are written for people: one place for digits, units, money and times.

The ending of a figure's name says its unit, as everywhere: `load_kw`, `moved_kwh`,
`share_percent`, `since_at`, `age_s`. `written` turns such a figure into words.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal

from meters.reading import from_utc_us
from reports.texts import Language, text

ABSENT = "–"
_THOUSAND = 1000.0
_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86400

Figure = str | int | float | Decimal | date | datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """For whom a figure is written."""

    language: Language = "en"
    zone: tzinfo = UTC
    """In which times are told: the account's own."""
    currency: str = ""


def number(value: float) -> str:
    """Write a number in at most four figures (thousands in full).

    Examples
    --------
    >>> number(612.56), number(24.891), number(1234.5), number(-0.004)
    ('612.6', '24.89', '1,234', '0')

    """
    if math.isnan(value):
        return ABSENT
    size, hundred = abs(value), 100.0
    digits = 0 if size >= _THOUSAND else 1 if size >= hundred else 2
    told = f"{value:,.{digits}f}"
    told = told.rstrip("0").rstrip(".") if digits else told
    return "0" if told == "-0" else told


def _large(value: float, unit: str, thousand: str) -> str:
    """Write with the unit a thousand times larger from ten thousand on."""
    if math.isnan(value):
        return ABSENT
    ten_thousand = 10_000.0
    if abs(value) >= ten_thousand:
        return f"{number(value / _THOUSAND)} {thousand}"
    return f"{number(value)} {unit}"


def power(kw: float) -> str:
    """Write a power.

    Examples
    --------
    >>> power(612.56), power(12345.0)
    ('612.6 kW', '12.35 MW')

    """
    return _large(kw, "kW", "MW")


def energy(kwh: float) -> str:
    """Write an energy.

    Examples
    --------
    >>> energy(671433.6), energy(24.89)
    ('671.4 MWh', '24.89 kWh')

    """
    return _large(kwh, "kWh", "MWh")


def percent(value: float) -> str:
    """Write a share given in percent; below ten with one decimal.

    Examples
    --------
    >>> percent(18.79), percent(4.24), percent(0.01)
    ('19 %', '4.2 %', '< 0.1 %')

    """
    ten, least = 10.0, 0.05
    if math.isnan(value):
        return ABSENT
    if 0 < value < least:
        return "< 0.1 %"
    return f"{value:.0f} %" if abs(value) >= ten else f"{value:.1f} %"


def money(amount: Decimal, currency: str) -> str:
    """Write an amount with its currency, to the cent.

    Examples
    --------
    >>> money(Decimal("1234.5"), "CNY")
    'CNY 1,234.50'

    """
    cents = amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{currency} {cents:,}".strip()


def duration(seconds: float, language: Language = "en") -> str:
    """Write a length of time in its two largest units.

    Examples
    --------
    >>> duration(42), duration(7800), duration(200_000)
    ('42 s', '2 h 10 min', '2 d 7 h')

    """
    whole = max(0, int(seconds))
    if whole < _MINUTE_S:
        return text("unit-seconds", language).format(n=whole)
    if whole < _HOUR_S:
        return text("unit-minutes", language).format(n=whole // _MINUTE_S)
    big, small, step, part = (
        ("unit-hours", "unit-minutes", _HOUR_S, _MINUTE_S)
        if whole < _DAY_S
        else ("unit-days", "unit-hours", _DAY_S, _HOUR_S)
    )
    told = text(big, language).format(n=whole // step)
    rest = whole % step // part
    return f"{told} {text(small, language).format(n=rest)}" if rest else told


def moment(at: datetime, reader: Reader) -> str:
    """Write a moment in the reader's zone, to the minute."""
    return _local(at, reader).strftime(text("format-moment", reader.language))


def clock(at: datetime, reader: Reader) -> str:
    """Write only the time of day in the reader's zone."""
    return _local(at, reader).strftime("%H:%M")


def day(on: date, reader: Reader) -> str:
    """Write a calendar day."""
    if isinstance(on, datetime):
        on = _local(on, reader).date()
    return on.strftime(text("format-day", reader.language))


def _local(at: datetime, reader: Reader) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time needs a zone before it can be told")
    return at.astimezone(reader.zone)


def _moment(value: Figure, reader: Reader) -> str:
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment(at, reader) if isinstance(at, datetime) else str(at)


def _day(value: Figure, reader: Reader) -> str:
    on = date.fromisoformat(value) if isinstance(value, str) else value
    return day(on, reader) if isinstance(on, date) else str(on)


def _money(value: Figure, reader: Reader) -> str:
    return money(Decimal(str(value)), reader.currency)


# By the ending of the figure's name; the first that fits.
_BY_ENDING: tuple[tuple[str, Callable[[Figure, Reader], str]], ...] = (
    ("_kwh", lambda value, _: energy(_float(value))),
    ("_kwh_a_day", lambda value, _: energy(_float(value))),
    ("_kw", lambda value, _: power(_float(value))),
    ("_percent", lambda value, _: percent(_float(value))),
    ("_money", _money),
    ("_at", _moment),
    ("_us", lambda value, reader: moment(from_utc_us(int(_float(value))), reader)),
    ("_day", _day),
    ("_s", lambda value, reader: duration(_float(value), reader.language)),
    ("_min", lambda value, reader: duration(60 * _float(value), reader.language)),
)


def _float(value: Figure) -> float:
    return math.nan if value is None else float(str(value))


def written(name: str, value: Figure, reader: Reader) -> str:
    """Write one figure as the ending of its name says.

    Parameters
    ----------
    name : str
        Such as `load_kw`. A name without a known ending is a count or a word.
    value : str, number, Decimal, date, datetime or None
        A time may come as ISO text, as alerts store it; None is shown as a dash.
    reader : Reader
        Whose language, zone and currency are used.

    Examples
    --------
    >>> written("load_kw", 412.44, Reader()), written("gaps", 3, Reader())
    ('412.4 kW', '3')

    """
    if value is None:
        return ABSENT
    for ending, write in _BY_ENDING:
        if f"_{name}".endswith(ending):
            return write(value, reader)
    if isinstance(value, float):
        return number(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
