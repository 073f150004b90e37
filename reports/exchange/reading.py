"""Reads a file whole: which column is what, in which unit, zone and convention.

What is wrong with the whole file raises `ExchangeError`; with a row, refuses the row.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from meters.quantity import Quantity
from meters.reading import from_utc_us
from reports.exchange.content import (
    MINUTE_US,
    Content,
    FloatArray,
    IntArray,
    each_once,
)
from reports.exchange.form import (
    ENERGIES,
    NETS,
    TO_KILO,
    ExchangeError,
    FileForm,
    Found,
    Kind,
)
from reports.exchange.numbers import decimal_of, numbers_of
from reports.exchange.stamps import parsed
from reports.exchange.tables import (
    Column,
    Packet,
    Stamps,
    Table,
    open_packet,
    read_table,
)
from reports.exchange.text_table import Tell
from reports.exchange.times import Moments, moments_of, wall_of

_DAY_MIN = 1440
_TIMES = ("time", "start", "measured_at")
"""Names by which a column of times is recognised."""


def read_content(
    file: Path, form: FileForm, *, point: str = "", tell: Tell | None = None
) -> Content:
    """Read a file.

    Parameters
    ----------
    file : Path
    form : FileForm
    point : str
        Name of the point: of a file that Keywatt exported of several, only its rows.
    tell : callable, optional
        Called with how many lines of how many are read.

    Raises
    ------
    ExchangeError
        With one sentence that names the file.

    """
    packet = open_packet(file)
    roles = form.columns
    if not roles:
        roles = _own_columns(packet, form)
        form = _of_point(packet, form, point)
    table = read_table(packet, form, roles, tell)
    if len(roles) == 1:
        raise ExchangeError(
            f"{packet.path}: its columns are {', '.join(packet.header(form))}; say "
            f"which holds energy with --column {form.roles_of(form.kind)[0]}=NAME."
        )
    if not len(table):
        chosen = " and ".join(f"{name} = {text}" for name, text in form.where.items())
        which = f" with {chosen}" if chosen else " that could be taken"
        raise ExchangeError(f"{file}: has no rows{which}.")
    moments = _moments(table.column(roles["time"]), form, table.file)
    names, values, wrong = _values(table, form, roles)
    content = Content(
        file=table.file,
        sha256=table.sha256,
        kind=form.kind,
        names=names,
        at_us=moments.us,
        length_min=None,
        values=values,
        places=table.places,
        at=table.at,
        zone=form.zone,
        refused=table.refused,
        found=tuple(moments.found),
    ).refuse(wrong | moments.wrong)
    content = _without_empty(content)
    if form.kind is Kind.INTERVALS:
        stamped = np.delete(moments.us, list(moments.wrong))
        length_min = form.length_min or _length_min(stamped, table.file)
        content = _as_intervals(content, form, length_min)
    else:
        content = content.refuse(_below_zero(content))
    return each_once(content)


def _own_columns(packet: Packet, form: FileForm) -> dict[str, str]:
    """Recognise the columns by the names that Keywatt itself gives them."""
    header = packet.header(form)
    time = next(
        (name for name in ("time", "start", "measured_at") if name in header), ""
    )
    roles = {role: role for role in form.roles_of(form.kind) if role in header}
    if not time or not roles:
        raise ExchangeError(
            f"{packet.path}: its columns are {', '.join(header) or 'none'}; say which "
            "is what with --column time=NAME --column import_kwh=NAME."
        )
    return {"time": time, **roles}


def _of_point(packet: Packet, form: FileForm, point: str) -> FileForm:
    """Choose the rows of one point, where the file names points."""
    if form.where or not point or "point" not in packet.header(form):
        return form
    return form.model_copy(update={"where": {"point": point}})


def _moments(column: Column, form: FileForm, file: str) -> Moments:
    if isinstance(column, Stamps):
        if column.aware:
            return Moments(us=column.us)
        return moments_of(column.us, form.zone, ends=form.interval_ends)
    if not isinstance(column, list):
        column = [f"{number:.0f}" for number in column.tolist()]
    times = parsed(column, form.time_format, file)
    if times.aware:
        return Moments(us=times.us, wrong=times.wrong)
    right = np.ones(times.us.size, dtype=np.bool_)
    right[list(times.wrong)] = False
    rows = np.flatnonzero(right)
    known = moments_of(times.us[rows], form.zone, ends=form.interval_ends)
    us = np.zeros_like(times.us)
    us[rows] = known.us
    told = {int(rows[at]): text for at, text in known.wrong.items()}
    return Moments(us=us, wrong=times.wrong | told, found=known.found)


def _values(
    table: Table, form: FileForm, roles: Mapping[str, str]
) -> tuple[tuple[str, ...], FloatArray, dict[int, str]]:
    """Return names, values in kWh or kW, and what is wrong by row."""
    columns = {
        role: table.columns[name] for role, name in roles.items() if role != "time"
    }
    texts = [column for column in columns.values() if isinstance(column, list)]
    decimal = form.decimal or decimal_of(texts, table.file)
    wrong: dict[int, str] = {}
    numbers: dict[str, FloatArray] = {}
    for role, column in columns.items():
        if isinstance(column, Stamps):
            raise ExchangeError(
                f"{table.file}: {roles[role]} holds times, not numbers."
            )
        if isinstance(column, list):
            numbers[role], bad = numbers_of(column, decimal)
        else:
            numbers[role] = np.where(np.isinf(column), np.nan, column)
            infinite = np.flatnonzero(np.isinf(column)).tolist()
            bad = dict.fromkeys(infinite, "the value is infinite")
        wrong |= {at: f"{roles[role]}: {text}." for at, text in bad.items()}
    if form.kind is Kind.REGISTERS:
        names = tuple(quantity for quantity in Quantity if quantity in numbers)
        values = np.column_stack([_in_kilo(numbers[one], one, form) for one in names])
        return names, values, wrong
    return ENERGIES, _laid_out(numbers, form), wrong


def _in_kilo(column: FloatArray, name: str, form: FileForm) -> FloatArray:
    return column * TO_KILO[form.unit] if Quantity(name).is_register else column


def _laid_out(numbers: Mapping[str, FloatArray], form: FileForm) -> FloatArray:
    """Lay columns into the four energies; a signed one into two."""
    size = next(iter(numbers.values())).size
    values = np.full((size, len(ENERGIES)), np.nan)
    for role, column in numbers.items():
        scaled = column * TO_KILO[form.unit]
        if role in NETS:
            for name, signed in zip(NETS[role], (scaled, -scaled), strict=True):
                # Adding 0 makes a plain zero of a negative one.
                values[:, ENERGIES.index(name)] = np.maximum(signed, 0.0) + 0.0
        else:
            values[:, ENERGIES.index(role)] = scaled
    return values


def _without_empty(content: Content) -> Content:
    given = np.logical_or.reduce(~np.isnan(content.values), axis=1)
    if given.all():
        return content
    empty = int((~given).sum())
    found = Found("empty", f"{empty} rows have no value and are left out.")
    return replace(content.part(given), empty=empty, found=(*content.found, found))


def _as_intervals(content: Content, form: FileForm, length_min: int) -> Content:
    """Turn ends into starts and power into energy; refuse by row."""
    length_us = length_min * MINUTE_US
    at_us = content.at_us - (length_us if form.interval_ends else 0)
    values = content.values * (length_min / 60) if form.is_power else content.values
    content = replace(content, at_us=at_us, values=values, length_min=length_min)
    wrong = _off_grid(at_us, length_us, form.zone)
    negative = (values < 0).any(axis=1)
    for row in np.flatnonzero(negative).tolist():
        name = ENERGIES[int(np.flatnonzero(values[row] < 0)[0])]
        wrong[row] = (
            f"{name} is negative ({np.nanmin(values[row]):g}); if its sign says which "
            f"way energy flows, name the column {_net_of(name)}."
        )
    return content.refuse(wrong)


def _below_zero(content: Content) -> dict[int, str]:
    """Refuse registers below zero; what is momentary may be."""
    is_register = np.array([Quantity(name).is_register for name in content.names])
    rows = np.flatnonzero((content.values[:, is_register] < 0).any(axis=1))
    return dict.fromkeys(rows.tolist(), "A register never shows less than 0.")


def _net_of(name: str) -> str:
    return next(net for net, parts in NETS.items() if name in parts)


def _length_min(at_us: IntArray, file: str) -> int:
    """Return the step that most rows have, whatever else is wrong with them."""
    steps = np.diff(np.unique(at_us))
    if not steps.size:
        raise ExchangeError(
            f"{file}: one time does not say how long an interval is; give --length-min."
        )
    sizes, times = np.unique(steps, return_counts=True)
    minutes, rest = divmod(int(sizes[int(times.argmax())]), MINUTE_US)
    if rest or _DAY_MIN % minutes:
        raise ExchangeError(
            f"{file}: most rows are {minutes + rest / MINUTE_US:g} min apart, which "
            "does not divide a day; give --length-min, or --kind registers."
        )
    return minutes


def _off_grid(at_us: IntArray, length_us: int, zone: ZoneInfo) -> dict[int, str]:
    off = wall_of(at_us, zone) % length_us != 0
    minutes = length_us // MINUTE_US
    text = f"is not the start of an interval of {minutes} min."
    return {
        row: f"{from_utc_us(int(at_us[row])).astimezone(zone):%Y-%m-%d %H:%M:%S %Z} "
        f"{text}"
        for row in np.flatnonzero(off).tolist()
    }
