"""What the page of records may ask and do; answers are kept for some seconds.

As `data`, whose connection it uses.

    RefusedError(ValueError)   what was to be done cannot be; says why
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

import streamlit as st
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account
from accounts.wall_clock import WallClockError
from dashboard.data import TODAY_KEPT_S, connection, forget, now, source
from reports import record_entering as entering
from reports.account_records import AccountRecords, account_records
from reports.portfolio import account_of
from reports.record_entering import Counting
from storage.import_undo import UndoError
from storage.settlement_master import EntryError


class RefusedError(ValueError):
    """What was to be done cannot be; the sentence says why."""


def records(code: str) -> AccountRecords:
    """Return what was entered for an account; NoSuchAccountError if not the user's."""
    return _records(code, source().manager)


def enter_outage(
    code: str, point: str, since: datetime, until: datetime, *, kind: str, why: str
) -> tuple[int, int]:
    """Enter time without supply in the user's name; return its number and days.

    Raises
    ------
    RefusedError
        It cannot be.

    """
    with _entering(code) as (conn, account):
        who, at = source().user, now()
        return entering.enter_outage(
            conn, account, point, since, until, kind=kind, reason=why, who=who, now=at
        )


def enter_closure(code: str, first_day: date, last_day: date, why: str) -> int:
    """Enter a closure in the user's name; return its days; raises as `enter_outage`."""
    with _entering(code) as (conn, account):
        days = first_day, last_day
        who, at = source().user, now()
        return entering.enter_closure(conn, account, *days, reason=why, who=who, now=at)


def take_back(code: str, entry: Counting, why: str) -> None:
    """Let an entry count no longer, in the user's name; raises as `enter_outage`."""
    with _entering(code) as (conn, account):
        who, at = source().user, now()
        entering.take_back(conn, account, entry, reason=why, who=who, now=at)


@contextmanager
def _entering(code: str) -> Iterator[tuple[Connection[TupleRow], Account]]:
    """Give a connection and an account of the user's; commit at the end."""
    try:
        with connection() as conn:
            yield conn, account_of(conn, code, source().manager)
            conn.commit()
    except (EntryError, UndoError, WallClockError) as exc:
        raise RefusedError(str(exc)) from exc
    forget()


@st.cache_data(ttl=TODAY_KEPT_S, show_spinner=False, max_entries=50)
def _records(code: str, manager: str | None) -> AccountRecords:
    with connection() as conn:
        return account_records(conn, code, manager)
