"""What the page of completeness may ask and do; answers are kept for some seconds.

As `data`, whose connection it uses.

    RefusedError(ValueError)   what was to be done cannot be; says why
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

import streamlit as st

from analytics.settlement.edited_values import EditError
from dashboard.data import (
    REVIEW_KEPT_S,
    TODAY_KEPT_S,
    connection,
    forget,
    now,
    source,
)
from reports import completeness as counting
from reports import interval_editing as editing
from reports.completeness_views import AllCompleteness, Completeness
from reports.day_ledger import DayDetail, day_detail, point_of
from reports.edit_trial import Foreseen
from reports.interval_hour import MeterHour, meter_hours_of
from reports.interval_trace import IntervalTrace, interval_trace
from reports.portfolio import account_of
from reports.verdicts import Verdicts, verdicts_of
from storage.completeness import is_dirty as day_is_dirty


class RefusedError(ValueError):
    """What was to be done cannot be; the sentence says why."""


def completeness(code: str, days: int) -> Completeness:
    """Return what became of an account's intervals.

    Raises
    ------
    NoSuchAccountError
        There is none, or it is not the user's.

    """
    return _completeness(code, days, source().manager)


def completeness_of_all(days: int) -> AllCompleteness:
    """Return what became of the intervals of all whom the user may see."""
    return _completeness_of_all(days, source().manager)


def verdicts(code: str, first_day: date, last_day: date) -> Verdicts:
    """Return which rules were broken at an account; raises as `completeness`."""
    return _verdicts(code, (first_day, last_day), source().manager)


def day(code: str, point: str, local_day: date) -> DayDetail:
    """Return one day of a point; also raises TraceError where there is no point."""
    return _day(code, point, local_day, source().manager)


def trace(code: str, point: str, start: datetime) -> IntervalTrace:
    """Return what one interval came from; raises as `day`."""
    return _trace(code, point, start, source().manager)


def meter_hours(code: str, point: str, start: datetime) -> tuple[MeterHour, ...]:
    """Return how an interval's meters fared in its hour; raises as `day`."""
    return _meter_hours(code, point, start, source().manager)


def is_dirty(code: str, point: str, local_day: date) -> bool:
    """Tell whether a day is still to be settled again: asked anew each time."""
    with connection() as conn:
        account = account_of(conn, code, source().manager)
        point_id = point_of(conn, account, point).point_id
        return day_is_dirty(conn, point_id, local_day)


def foresee_edit(
    code: str, point: str, start: datetime, import_kwh: float, why: str
) -> Foreseen:
    """Return what an edit would change and what rules would say; raises as the next."""
    with connection() as conn, _told():
        account = account_of(conn, code, source().manager)
        return editing.foresee_edit(
            conn,
            account,
            point_of(conn, account, point),
            start,
            import_kwh,
            why=why,
            who=source().user,
            now=now(),
            settle=source().settle_on_trial,
        )


def edit_interval(
    code: str, point: str, start: datetime, import_kwh: float, why: str
) -> int:
    """Set an interval's energy in the user's name; return the edit's number.

    Raises
    ------
    RefusedError
        It is billed, not over, or what was set cannot be.

    """
    with connection() as conn, _told():
        account = account_of(conn, code, source().manager)
        point_id = point_of(conn, account, point).point_id
        who, at = source().user, now()
        edit_id = editing.edit_interval(
            conn, point_id, start, import_kwh, why=why, who=who, now=at
        )
        conn.commit()
    forget()
    return edit_id


def undo_edit(code: str, point: str, start: datetime, edit_id: int, why: str) -> None:
    """Undo an edit of an interval in the user's name; raises as `edit_interval`."""
    with connection() as conn, _told():
        account = account_of(conn, code, source().manager)
        point_id = point_of(conn, account, point).point_id
        who, at = source().user, now()
        editing.undo(conn, point_id, start, edit_id, why=why, who=who, now=at)
        conn.commit()
    forget()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except EditError as exc:
        raise RefusedError(str(exc)) from exc


@st.cache_data(ttl=REVIEW_KEPT_S, show_spinner=False, max_entries=50)
def _completeness(code: str, days: int, manager: str | None) -> Completeness:
    with connection() as conn:
        return counting.last_days(conn, code, days, now(), manager=manager)


@st.cache_data(ttl=REVIEW_KEPT_S, show_spinner=False, max_entries=10)
def _completeness_of_all(days: int, manager: str | None) -> AllCompleteness:
    with connection() as conn:
        return counting.last_days_of_all(conn, days, now(), manager=manager)


@st.cache_data(ttl=REVIEW_KEPT_S, show_spinner=False, max_entries=50)
def _verdicts(code: str, period: tuple[date, date], manager: str | None) -> Verdicts:
    with connection() as conn:
        return verdicts_of(conn, code, period, manager=manager)


@st.cache_data(ttl=TODAY_KEPT_S, show_spinner=False, max_entries=200)
def _day(code: str, point: str, local_day: date, manager: str | None) -> DayDetail:
    with connection() as conn:
        return day_detail(conn, code, point, local_day, now(), manager=manager)


@st.cache_data(ttl=TODAY_KEPT_S, show_spinner=False, max_entries=200)
def _trace(
    code: str, point: str, start: datetime, manager: str | None
) -> IntervalTrace:
    with connection() as conn:
        account = account_of(conn, code, manager)
        return interval_trace(conn, account.account_id, point, start)


@st.cache_data(ttl=TODAY_KEPT_S, show_spinner=False, max_entries=200)
def _meter_hours(
    code: str, point: str, start: datetime, manager: str | None
) -> tuple[MeterHour, ...]:
    traced = _trace(code, point, start, manager)
    with connection() as conn:
        return meter_hours_of(conn, traced)
