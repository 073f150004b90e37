"""Is anything missing, and why? Renders the completeness ledger; computes nothing.

One page at four depths, each with an address of its own: all accounts, an account's
days, a day's quarter-hours, and what one of them came from.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from html import escape

import streamlit as st

from dashboard import (
    charts,
    data,
    day_markup,
    ledger_charts,
    ledger_data,
    ledger_markup,
    ledger_parts,
    markup,
    phrase,
    trace_markup,
)
from dashboard.pages.interval_actions import edit_card
from reports.completeness_lines import as_csv
from reports.completeness_views import Completeness, PointLedger
from reports.day_ledger import DayDetail
from reports.interval_trace import TraceError
from reports.texts import text
from reports.today import NoSuchAccountError
from reports.wording import sentence
from reports.writing import Reader, day

PERIODS = (30, 90, 365)
USUAL_DAYS = 30
PERIOD_NAMES = {365: "period-year"}


def page() -> None:
    """Draw what the address asks for."""
    words = data.reader()
    code = st.query_params.get("account", "")
    point = st.query_params.get("point", "")
    try:
        if not code:
            all_accounts(words)
        elif "day" in st.query_params:
            one_day(code, point, date.fromisoformat(st.query_params["day"]))
        else:
            one_account(code)
    except NoSuchAccountError:
        _nothing("account-unknown", words, code=code)
    except (TraceError, ValueError):
        _nothing("day-unknown", words)
    except data.ServiceAwayError:
        st.html(phrase.empty(phrase.said("service-away", words), ""))


def _nothing(what: str, words: Reader, **figures: str) -> None:
    told = phrase.said(f"{what}-do", words)
    st.html(phrase.empty(phrase.said(what, words, **figures), told))
    st.html(markup.back_link(words))


def all_accounts(words: Reader) -> None:
    """Draw all accounts, those that lack most first."""
    days = _head_and_period(
        phrase.said("completeness-title", words),
        phrase.said("completeness-sub", words),
        None,
        words,
    )
    found = ledger_data.completeness_of_all(days)
    if not found.accounts:
        title = phrase.said("portfolio-empty", words)
        st.html(phrase.empty(title, phrase.said("portfolio-empty-do", words)))
        return
    st.html(markup.figures(ledger_markup.figures_of(found, words)))
    with st.container(key="card-accounts"):
        st.html(ledger_markup.key_of_categories(found, words))
        st.html(ledger_markup.accounts(found, words))
    _download(lambda: as_csv(found.accounts), "completeness", words)


def one_account(code: str) -> None:
    """Draw an account's points, a calendar of each."""
    account = ledger_data.completeness(code, 1).account
    reader = data.reader(account)
    days = _head_and_period(
        phrase.said("completeness-of", reader, name=account.name),
        phrase.said("completeness-sub", reader),
        ("completeness", phrase.said("back-to-completeness", reader)),
        reader,
    )
    found = ledger_data.completeness(code, days)
    if not found.points:
        st.html(phrase.empty(phrase.said("no-points", reader), ""))
        return
    st.html(markup.figures(ledger_markup.figures_of(found, reader)))
    for point in found.points:
        _calendar_card(code, point, reader)
    _rules_card(found, reader)
    _worst_card(found, reader)
    _download(lambda: as_csv([found]), f"completeness-{code}", reader)


def _head_and_period(
    title: str, sub: str, back: tuple[str, str] | None, reader: Reader
) -> int:
    """Draw the head of a view beside the choice of its period, and return that."""
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    left.html(ledger_parts.head(title, sub, back))
    asked = st.query_params.get("days", "")
    usual = next((days for days in PERIODS if str(days) == asked), USUAL_DAYS)
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        days = st.segmented_control(
            text("period", reader.language),
            PERIODS,
            default=usual,
            required=True,
            format_func=lambda days: sentence(
                PERIOD_NAMES.get(days, "period-days"), {"days": days}, reader
            ),
            label_visibility="collapsed",
            key="ledger-days",
        )
    if days != usual:
        st.query_params["days"] = str(days)
    return days or usual


def _calendar_card(code: str, point: PointLedger, reader: Reader) -> None:
    key = f"calendar-{point.point.point_id}"
    with st.container(key=f"card-{key}"):
        st.html(f"<h2>{escape(point.point.name)}</h2>")
        st.html(phrase.note("calendar-note", reader, zone=str(reader.zone)))
        st.html(ledger_markup.key_of_days(point, reader))

        def open_day(on: str) -> None:
            asked = {"account": code, "point": point.point.name, "day": on}
            st.query_params.from_dict(asked)

        _choosable(ledger_charts.calendar_figure(point.days, reader), key, open_day)


def _rules_card(found: Completeness, reader: Reader) -> None:
    code = found.account.code
    said = ledger_data.verdicts(code, found.first_day, found.last_day)
    with st.container(key="card-broken"):
        st.html(f"<h2>{phrase.said('rules-broken', reader)}</h2>")
        st.html(ledger_markup.broken_rules(said, reader))


def _worst_card(found: Completeness, reader: Reader) -> None:
    days = [(point.point.name, one) for point in found.points for one in point.days]
    with st.container(key="card-worst"):
        st.html(f"<h2>{phrase.said('worst-days', reader)}</h2>")
        st.html(ledger_markup.worst_days(found.account, days, reader))


def one_day(code: str, point: str, on: date) -> None:
    """Draw a day's quarter-hours; below them what they sum to, or the chosen one."""
    detail = ledger_data.day(code, point, on)
    reader = data.reader(detail.account)
    _day_head(detail, reader)
    chosen = _chosen(detail)
    with st.container(key="card-day"):
        zone = str(reader.zone)
        st.html(phrase.note("day-note", reader, n=detail.expected, zone=zone))
        figure = ledger_charts.day_figure(detail, reader, chosen=chosen)
        st.html(ledger_markup.key_of_categories(detail, reader))

        def open_interval(place: str) -> None:
            start = detail.lines[int(place)].start
            st.query_params["interval"] = ledger_parts.interval_name(start)

        _choosable(figure, f"day-{detail.point.point_id}-{on}", open_interval)
    if chosen is not None:
        one_interval(detail, chosen, reader)
        return
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-sums", height="stretch"):
        st.html(f"<h2>{phrase.said('day-sums', reader)}</h2>")
        st.html(day_markup.sums(detail, reader))
    with right, st.container(key="card-day-rules", height="stretch"):
        st.html(f"<h2>{phrase.said('day-rules', reader)}</h2>")
        st.html(day_markup.rules(detail, reader))


def _day_head(detail: DayDetail, reader: Reader) -> None:
    code, name = detail.account.code, detail.point.name
    back = phrase.said("back-to-calendar", reader, name=detail.account.name)
    sub = f"{escape(detail.account.name)} · {escape(name)}"
    st.html(
        ledger_parts.head(
            day(detail.local_day, reader), sub, (ledger_parts.link(code), back)
        )
        + day_markup.beside(detail, reader)
    )


def _chosen(detail: DayDetail) -> int | None:
    """Return the place of the interval in the address; None = none of this day."""
    asked = st.query_params.get("interval", "")
    if not asked:
        return None
    start = datetime.fromisoformat(asked).astimezone(UTC)
    places = (i for i, one in enumerate(detail.lines) if one.start == start)
    return next(places, None)


def one_interval(detail: DayDetail, place: int, reader: Reader) -> None:
    """Draw what one quarter-hour came from."""
    code, name = detail.account.code, detail.point.name
    line = detail.lines[place]
    trace = ledger_data.trace(code, name, line.start)
    st.html(
        f'<h2 class="kw-section">{trace_markup.title(trace, reader)}</h2>'
        + day_markup.beside_interval(detail, place, reader)
    )
    st.html(markup.figures(trace_markup.figures(trace, line, reader)))
    entered = trace_markup.circumstances(trace, reader)
    if entered:
        _card("circumstances", entered, reader)
    _card("rules", trace_markup.rules(trace, reader), reader)
    _card("versions", trace_markup.versions(trace, reader), reader)
    hours = ledger_data.meter_hours(code, name, line.start)
    _card("readings", trace_markup.readings(trace, hours, reader), reader)
    edit_card(trace, detail, reader)
    left, right = st.columns([3, 2], gap="small")
    with left:
        _card("refused", trace_markup.refused(trace, reader), reader)
    with right:
        _card("bills", trace_markup.bills(trace, reader), reader)


def _card(name: str, content: str, reader: Reader) -> None:
    with st.container(key=f"card-{name}", height="stretch"):
        st.html(f"<h2>{phrase.said(f'section-{name}', reader)}</h2>")
        st.html(content)


def _choosable(figure: charts.Figure, key: str, choose: Callable[[str], None]) -> None:
    """Draw a picture of which a part can be chosen, by what it bears."""

    def chosen() -> None:
        points = st.session_state[f"chart-{key}"]["selection"]["points"]
        if points:
            choose(str(points[0]["customdata"]))

    st.plotly_chart(
        figure,
        config=charts.CONFIG,
        theme=None,
        key=f"chart-{key}",
        on_select=chosen,
        selection_mode="points",
    )


def _download(content: Callable[[], str], name: str, reader: Reader) -> None:
    st.download_button(
        text("download-csv", reader.language),
        content,
        file_name=f"{name}.csv",
        mime="text/csv",
        on_click="ignore",
    )


page()
