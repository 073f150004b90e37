"""Settled intervals of an account, written in one of the formats."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from io import BytesIO, StringIO

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account, Point
from accounts.calendar import SiteCalendar
from meters.reading import ReadingBatch, utc_us
from reports.exchange.as_csv import write_csv
from reports.exchange.as_parquet import write_parquet
from reports.exchange.form import ExchangeError
from reports.exchange.green_button import write_green_button
from reports.exchange.nem12 import MARKET_OFFSET, made_nmi, write_nem12
from reports.exchange.outgoing import Outgoing
from reports.exchange.register_methods import REGISTERS, register_methods
from storage.exports import load_settled
from storage.imports import Sitting, load_sittings
from storage.master import UnknownAccountError, load_account, load_points
from storage.meter_intervals import load_meter_intervals
from storage.readings import load_readings


class Format(StrEnum):
    """What a file can be."""

    CSV = "csv"
    PARQUET = "parquet"
    GREEN_BUTTON = "green-button"
    NEM12 = "nem12"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a person wants to have handed out."""

    account: str
    first: date
    last: date
    """Both included; local days of the account, of NEM12 days of market time."""
    format: Format
    point: str | None = None
    """None = all of them."""
    as_of: datetime | None = None
    """What was believed then; None = now."""
    now: datetime
    nmi: str | None = None
    market_offset: timedelta = MARKET_OFFSET


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """A file that was made, and what is in it."""

    data: bytes
    points: tuple[str, ...]
    intervals: int
    missing: int
    """Of them without import energy."""
    made_up: tuple[tuple[str, str], ...] = ()
    """Points, each with an identifier that nobody gave."""


def export(conn: Connection[TupleRow], wish: Wish) -> Exported:
    """Make a file of what is settled.

    Raises
    ------
    ExchangeError
        Where there is no such account or point, where nothing is settled in that time,
        or where the format cannot say it.

    """
    account, points = _points(conn, wish)
    start, stop = _window(account, wish)
    outgoing = [_outgoing(conn, account, one, wish, (start, stop)) for one in points]
    outgoing = [one for one in outgoing if len(one.rows)]
    if not outgoing:
        raise ExchangeError(_nothing_settled(wish))
    return Exported(
        data=_WRITERS[wish.format](outgoing, wish),
        points=tuple(one.point.name for one in outgoing),
        intervals=sum(len(one.rows) for one in outgoing),
        missing=sum(int((one.rows.quality == "missing").sum()) for one in outgoing),
        made_up=_made_up(outgoing, wish),
    )


def _made_up(outgoing: Sequence[Outgoing], wish: Wish) -> tuple[tuple[str, str], ...]:
    if wish.format is not Format.NEM12 or wish.nmi is not None:
        return ()
    return tuple((one.point.name, made_nmi(one.point)) for one in outgoing)


def _nothing_settled(wish: Wish) -> str:
    if wish.as_of is None:
        return f"Nothing of {wish.account} is settled from {wish.first} to {wish.last}."
    return (
        f"Nothing of {wish.account} from {wish.first} to {wish.last} was settled at "
        f"{wish.as_of:%Y-%m-%d %H:%M} UTC."
    )


def _points(conn: Connection[TupleRow], wish: Wish) -> tuple[Account, list[Point]]:
    try:
        account = load_account(conn, wish.account)
    except UnknownAccountError as exc:
        raise ExchangeError(str(exc)) from None
    points = load_points(conn, account.account_id)
    chosen = [point for point in points if wish.point in (None, point.name)]
    if not chosen:
        names = ", ".join(point.name for point in points) or "none yet"
        text = f"No point {wish.point!r}; {wish.account} has: {names}."
        raise ExchangeError(text)
    return account, chosen


def _window(account: Account, wish: Wish) -> tuple[datetime, datetime]:
    if wish.last < wish.first:
        raise ExchangeError(f"{wish.last} is before {wish.first}; swap them.")
    if wish.format is Format.NEM12:
        first, last = (
            datetime.combine(day, time(), UTC) - wish.market_offset
            for day in (wish.first, wish.last)
        )
        return first, last + timedelta(days=1)
    calendar = SiteCalendar(account.time_zone, account.country)
    return calendar.day_bounds(wish.first)[0], calendar.day_bounds(wish.last)[1]


def _outgoing(
    conn: Connection[TupleRow],
    account: Account,
    point: Point,
    wish: Wish,
    window: tuple[datetime, datetime],
) -> Outgoing:
    sittings = load_sittings(conn, point.point_id)
    serials = {one.serial for one in sittings}
    rows = load_settled(conn, point.point_id, *window, wish.as_of)
    return Outgoing(
        account=account,
        point=point,
        serial=serials.pop() if len(serials) == 1 else "",
        rows=rows,
        methods=register_methods(
            rows,
            [_read(conn, one, window, wish.as_of) for one in sittings],
            [load_meter_intervals(conn, one.meter_id, *window) for one in sittings],
        ),
    )


def _read(
    conn: Connection[TupleRow],
    sitting: Sitting,
    window: tuple[datetime, datetime],
    as_of: datetime | None,
) -> ReadingBatch:
    """Load what was read of a meter while it sat there, as far as it was known then."""
    read = load_readings(conn, sitting.meter_id, *window, only=REGISTERS)
    here = (read.measured_us >= sitting.from_us) & (read.measured_us <= sitting.to_us)
    if as_of is not None:
        here &= read.received_us <= utc_us(as_of)
    return ReadingBatch(
        meter_id=read.meter_id[here],
        measured_us=read.measured_us[here],
        received_us=read.received_us[here],
        values=read.values[here],
    )


def _csv(points: Sequence[Outgoing], _wish: Wish) -> bytes:
    file = StringIO()
    write_csv(points, file)
    return file.getvalue().encode()


def _parquet(points: Sequence[Outgoing], _wish: Wish) -> bytes:
    file = BytesIO()
    write_parquet(points, file)
    return file.getvalue()


def _green_button(points: Sequence[Outgoing], wish: Wish) -> bytes:
    file = BytesIO()
    write_green_button(points, file, made_at=wish.now)
    return file.getvalue()


def _nem12(points: Sequence[Outgoing], wish: Wish) -> bytes:
    file = StringIO(newline="")
    write_nem12(
        points,
        file,
        made_at=wish.now,
        nmi=wish.nmi,
        offset=wish.market_offset,
        days=(wish.first, wish.last),
    )
    return file.getvalue().encode()


_WRITERS: dict[Format, Callable[[Sequence[Outgoing], Wish], bytes]] = {
    Format.CSV: _csv,
    Format.PARQUET: _parquet,
    Format.GREEN_BUTTON: _green_button,
    Format.NEM12: _nem12,
}
