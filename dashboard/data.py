"""What the pages may ask and do; answers are kept for some seconds.

The program that starts Streamlit calls `configure` first, in the same process: nothing
here reads the environment or opens a connection of its own accord.

    NotConfiguredError(RuntimeError)   `configure` was not called
    ServiceAwayError(RuntimeError)     the database does not answer just now
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
import streamlit as st
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account
from alerts import desk
from alerts.lifecycle import AlertError
from dashboard import charts
from reports import account_review as reviewing
from reports import meter_views as metering
from reports import portfolio as standing
from reports.account_views import AccountReview
from reports.edit_trial import SettleOnTrial
from reports.meter_views import MeterView
from reports.portfolio import Portfolio
from reports.texts import Language, text
from reports.today import AccountToday
from reports.writing import Reader
from storage.alerts import lock_alert
from storage.database import DatabaseError

# It warns of being imported before the server runs, which is how it is meant here.
logging.getLogger("streamlit.runtime.caching.cache_data_api").setLevel(logging.ERROR)

Connect = Callable[[], AbstractContextManager[Connection[TupleRow]]]
TODAY_KEPT_S = 10
REVIEW_KEPT_S = 30


class NotConfiguredError(RuntimeError):
    """The program that started Streamlit did not say where the data is."""


class ServiceAwayError(RuntimeError):
    """The database does not answer just now."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the figures come from, and who looks at them."""

    connect: Connect
    """Gives a connection for a `with` block: a pool's, or a new one."""
    now: Callable[[], datetime]
    """The time that counts, aware."""
    settle_on_trial: SettleOnTrial
    """Tells what days would become; see `reports.edit_trial`."""
    user: str
    """Who acknowledges and plans."""
    manager: str | None = None
    """Only this manager's accounts are shown; None shows all."""
    language: Language = "en"


class _Configured:
    source: Source | None = None


def configure(source: Source) -> None:
    """Say where the figures come from; forgets what was kept from elsewhere.

    Done before pages are served, so that no visitor waits for plotly's own start.
    """
    charts.warm_up()
    _Configured.source = source
    forget()


def source() -> Source:
    """Return what `configure` was given."""
    if _Configured.source is None:
        raise NotConfiguredError(
            "Start the dashboard with 'keywatt dashboard' or 'keywatt demo': "
            "Streamlit alone does not know where the data is."
        )
    return _Configured.source


def forget() -> None:
    """Drop the kept answers, after something was changed."""
    st.cache_data.clear()


def now() -> datetime:
    """Return the time that counts."""
    return source().now()


def reader(account: Account | None = None) -> Reader:
    """For whom figures are written: in the account's zone and currency."""
    language = source().language
    if account is None:
        return Reader(language=language, zone=now().tzinfo or Reader().zone)
    return Reader(language=language, zone=account.time_zone, currency=account.currency)


def accounts() -> list[Account]:
    """Return whom the user may see, by name."""
    return _accounts(source().manager)


def portfolio() -> Portfolio:
    """Return all accounts the user may see, ranked."""
    return _portfolio(source().manager)


def today(code: str) -> AccountToday:
    """Return how one account stands; `UnknownAccountError` if it is not the user's."""
    return _today(code, source().manager)


def review(code: str, days: int) -> AccountReview:
    """Return one account over some days; `UnknownAccountError` as in `today`."""
    return _review(code, days, source().manager)


def meters(code: str) -> tuple[MeterView, ...]:
    """Return one account's meters; `UnknownAccountError` as in `today`."""
    return _meters(code, source().manager)


def acknowledge(alert_id: int, why: str) -> None:
    """Take an alert in the user's name; AlertError says why it cannot be."""
    with connection() as conn:
        _check_theirs(conn, alert_id)
        desk.acknowledge(conn, alert_id, who=source().user, why=why, now=now())
        conn.commit()
    forget()


def mark_planned(alert_id: int, why: str, until: datetime) -> None:
    """Store that the customer confirmed it; AlertError says why it cannot be."""
    with connection() as conn:
        _check_theirs(conn, alert_id)
        desk.mark_planned(
            conn, alert_id, who=source().user, why=why, until=until, now=now()
        )
        conn.commit()
    forget()


def _check_theirs(conn: Connection[TupleRow], alert_id: int) -> None:
    """Refuse what a page never offered: another manager's alert looks like none."""
    alert = lock_alert(conn, alert_id)
    theirs = standing.accounts_of(conn, source().manager)
    if alert is None or alert.account_id not in {one.account_id for one in theirs}:
        raise AlertError(text("alert-not-yours", source().language))


@contextmanager
def connection() -> Iterator[Connection[TupleRow]]:
    """Give a connection for a `with` block; ServiceAwayError if there is none."""
    try:
        with source().connect() as conn:
            yield conn
    except (psycopg.OperationalError, DatabaseError) as exc:
        raise ServiceAwayError(str(exc)) from exc


@st.cache_data(ttl=REVIEW_KEPT_S, show_spinner=False)
def _accounts(manager: str | None) -> list[Account]:
    with connection() as conn:
        return standing.accounts_of(conn, manager)


@st.cache_data(ttl=TODAY_KEPT_S, show_spinner=False)
def _portfolio(manager: str | None) -> Portfolio:
    with connection() as conn:
        return standing.portfolio(conn, now(), manager)


@st.cache_data(ttl=TODAY_KEPT_S, show_spinner=False, max_entries=200)
def _today(code: str, manager: str | None) -> AccountToday:
    with connection() as conn:
        return standing.account_today(conn, code, now(), manager)


@st.cache_data(ttl=REVIEW_KEPT_S, show_spinner=False, max_entries=50)
def _review(code: str, days: int, manager: str | None) -> AccountReview:
    with connection() as conn:
        return reviewing.account_review(conn, code, now(), days=days, manager=manager)


@st.cache_data(ttl=TODAY_KEPT_S, show_spinner=False, max_entries=200)
def _meters(code: str, manager: str | None) -> tuple[MeterView, ...]:
    with connection() as conn:
        return metering.meters_of(conn, code, now(), manager)
