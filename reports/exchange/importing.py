"""Files are compared with what is stored, and stored whole or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

import numpy as np
import numpy.typing as npt
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account, Point
from accounts.calendar import SLOT_MIN, SiteCalendar
from meters.quantity import COLUMN, Quantity
from meters.reading import from_utc_us
from reports.exchange.content import Content
from reports.exchange.form import ENERGIES, ExchangeError, Kind
from reports.exchange.merging import merged
from reports.exchange.placing import meter_rows, multipliers_of, placed
from reports.exchange.preview import (
    Beside,
    Compared,
    Preview,
    day_changes,
    days_to_settle,
    file_preview,
    makes_quarter_hours,
    settled_beside,
)
from reports.exchange.storing import import_kwh, span_of, store_rows
from storage.dirty import REACH_MIN, mark_days
from storage.imports import (
    Sitting,
    find_imported,
    load_sittings,
    lock_imports,
    store_file,
)
from storage.intervals import load_intervals
from storage.master import UnknownAccountError, load_account, load_points
from storage.meter_intervals import (
    LONGEST_OWN,
    load_meter_intervals,
)
from storage.readings import load_readings

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a person asks to be done with files."""

    account: str
    point: str | None = None
    """None = the only one there is."""
    meter: str | None = None
    """Serial of the meter they are of; None = the main meter installed then."""
    apply: bool = False
    replace: bool = False
    """Whether a file wins over what is stored."""
    skip_refused: bool = False
    """Whether the other rows are stored where some are refused."""
    by: str = ""
    now: datetime


def import_files(
    conn: Connection[TupleRow], contents: Sequence[Content], order: Order
) -> Preview:
    """Say what files would change; with `order.apply`, change it, in one transaction.

    Parameters
    ----------
    conn : Connection
        In no transaction; the return means that it is committed.
    contents
        What each file holds, all of one kind.
    order : Order

    Raises
    ------
    ExchangeError
        Where there is no such account, point or meter; where a file was imported
        before; where two files contradict each other.

    """
    with conn.transaction():
        account, point = find_point(conn, order.account, order.point)
        if order.apply:
            lock_imports(conn)
        importing = _Importing(conn, account, point, order)
        for content in contents:
            importing.refuse_imported(content)
        compared = [importing.compare(one) for one in merged(contents)]
        preview = importing.preview(compared)
        if not order.apply or preview.why_not:
            return preview
        for one, file in zip(compared, preview.files, strict=True):
            importing.store(one, new=file.new, changed=file.changed, same=file.same)
        for first, last in preview.settle:
            mark_days(conn, point.point_id, first, last)
        return replace(preview, applied=True)


def find_point(
    conn: Connection[TupleRow], code: str, name: str | None
) -> tuple[Account, Point]:
    """Return an account and one of its points; without a name, the only one.

    Raises
    ------
    ExchangeError
        There is none, or several to choose from.

    """
    try:
        account = load_account(conn, code)
    except UnknownAccountError as exc:
        raise ExchangeError(str(exc)) from None
    points = load_points(conn, account.account_id)
    chosen = [point for point in points if name in (None, point.name)]
    if len(chosen) != 1:
        names = ", ".join(point.name for point in points) or "none yet"
        if name is None:
            raise ExchangeError(f"Name a point with --point; {code} has: {names}.")
        raise ExchangeError(f"No point {name!r}; {code} has: {names}.")
    return account, chosen[0]


def _never_installed(serial: str | None, point: str) -> str:
    if serial is None:
        return (
            f"No meter was ever installed at {point}; enter an installation in the "
            "site file or the meter list first."
        )
    return (
        f"Meter {serial} was never installed at {point}; enter its installation in the "
        "site file or the meter list first."
    )


class _Importing:
    """What the files of one order have in common."""

    def __init__(
        self,
        conn: Connection[TupleRow],
        account: Account,
        point: Point,
        order: Order,
    ) -> None:
        self._conn = conn
        self._account = account
        self._point = point
        self._order = order
        self._calendar = SiteCalendar(account.time_zone, account.country)
        self._sittings = load_sittings(conn, point.point_id, order.meter)
        if not self._sittings:
            raise ExchangeError(_never_installed(order.meter, point.name))

    def _fingerprint(self, content: Content) -> str:
        """Return what a file is known by: one of many points is taken for each once."""
        whose = f"point {self._point.point_id}, meter {self._order.meter}"
        return sha256(f"{content.sha256} of {whose}".encode()).hexdigest()

    def refuse_imported(self, content: Content) -> None:
        """Refuse a file that was imported before."""
        earlier = find_imported(self._conn, self._fingerprint(content))
        if earlier is None:
            return
        name = "" if earlier.name == content.file else f" as {earlier.name}"
        raise ExchangeError(
            f"{content.file} was imported for {self._point.name} on "
            f"{earlier.imported_at:%Y-%m-%d %H:%M} UTC by {earlier.imported_by}{name} "
            f"(import {earlier.import_id}); a file is taken once."
        )

    def compare(self, content: Content) -> Compared:
        """Lay a file beside what is stored."""
        content = placed(content, self._sittings, self._point.name)
        stored = np.full(content.values.shape, np.nan)
        is_stored = np.zeros(len(content), dtype=np.bool_)
        for sitting, rows in self._rows_of(content):
            known_us, values = self._stored(content, sitting, rows)
            place = np.searchsorted(known_us, content.at_us[rows])
            place = np.minimum(place, max(known_us.size - 1, 0))
            if known_us.size:
                there = known_us[place] == content.at_us[rows]
                is_stored[rows[there]] = True
                stored[rows[there]] = values[place[there]]
        if content.kind is Kind.INTERVALS:
            stored *= multipliers_of(content, self._sittings)[:, np.newaxis]
        return Compared(content=content, is_stored=is_stored, stored=stored)

    def _rows_of(self, content: Content) -> list[tuple[Sitting, npt.NDArray[np.intp]]]:
        row = meter_rows(content.at_us, self._sittings)
        return [
            (sitting, np.flatnonzero(row == number))
            for number, sitting in enumerate(self._sittings)
            if (row == number).any()
        ]

    def _stored(
        self, content: Content, sitting: Sitting, rows: npt.NDArray[np.intp]
    ) -> tuple[IntArray, FloatArray]:
        """Return what is stored of a meter in the time of some rows."""
        first, last = int(content.at_us[rows[0]]), int(content.at_us[rows[-1]])
        start, stop = from_utc_us(first), from_utc_us(last + 1)
        if content.kind is Kind.REGISTERS:
            batch = load_readings(self._conn, sitting.meter_id, start, stop)
            columns = [COLUMN[Quantity(name)] for name in content.names]
            return batch.measured_us, batch.values[:, columns]
        known = load_meter_intervals(self._conn, sitting.meter_id, start, stop)
        values = np.column_stack([getattr(known, name) for name in ENERGIES])
        # One of another length says something else, whatever it says.
        alike = known.length_min == content.length_min
        return known.start_us, np.where(alike[:, np.newaxis], values, np.nan)

    def preview(self, compared: Sequence[Compared]) -> Preview:
        """Sum up, and say what stands in the way of storing it."""
        files = tuple(file_preview(one, self._calendar) for one in compared)
        serials = {
            sitting.serial: None
            for one in compared
            for sitting, _ in self._rows_of(one.content)
        }
        preview = Preview(
            account=self._account.code,
            point=self._point.name,
            kind=compared[0].content.kind,
            meters=tuple(serials),
            files=files,
            days=day_changes(compared, self._calendar),
            settle=days_to_settle(compared, self._calendar, REACH_MIN),
            beside=self._beside(compared),
        )
        return replace(preview, why_not=self._why_not(preview))

    def _beside(self, compared: Sequence[Compared]) -> Beside | None:
        """Compare the rows with what is settled."""
        at_us = [one.content.at_us for one in compared if len(one.content)]
        if compared[0].content.kind is Kind.REGISTERS or not at_us:
            return None
        start = from_utc_us(min(int(each[0]) for each in at_us))
        stop = from_utc_us(max(int(each[-1]) for each in at_us)) + LONGEST_OWN
        settled = load_intervals(self._conn, self._point.point_id, start, stop)
        return settled_beside(compared, settled.start_us, settled.import_kwh)

    def _why_not(self, preview: Preview) -> str:
        length_min = preview.files[0].length_min
        if length_min and not makes_quarter_hours(length_min):
            return (
                f"intervals of {length_min} min do not add up to those of {SLOT_MIN} "
                "min that are settled; import registers."
            )
        refused, changed = len(preview.refused), preview.count("changed")
        if refused and not self._order.skip_refused:
            return (
                f"{refused} rows are refused; correct them, or store the others "
                "with --skip-refused."
            )
        if changed and not self._order.replace:
            return (
                f"{changed} rows contradict what is stored; let the files win with "
                "--replace."
            )
        return ""

    def store(self, compared: Compared, *, new: int, changed: int, same: int) -> None:
        """Store the rows of a file that are new or changed, and its name."""
        content, order = compared.content, self._order
        written = replace(content, values=compared.given).part(compared.is_written)
        first, stop = span_of(content)
        import_id = store_file(
            self._conn,
            point_id=self._point.point_id,
            name=content.file,
            sha256=self._fingerprint(content),
            content=content.kind.value,
            starts_at=first,
            stops_at=stop,
            import_kwh=import_kwh(written),
            rows_new=new,
            rows_changed=changed,
            rows_same=same,
            imported_by=order.by,
            imported_at=order.now,
        )
        for sitting, rows in self._rows_of(written):
            part = written.part(rows)
            store_rows(self._conn, part, sitting, order.now, import_id=import_id)
