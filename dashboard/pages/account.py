"""When does this account use power, what does it cost, what is wrong? Renders only."""

import time

import streamlit as st

from accounts.account import Account
from dashboard import (
    alert_markup,
    charts,
    data,
    figures,
    markup,
    meter_markup,
    phrase,
)
from dashboard.pages.account_choice import choose_account
from dashboard.pages.alert_actions import alert_card
from dashboard.sparkline import as_image, sparkline
from reports.account_views import AccountReview
from reports.texts import text
from reports.today import NoSuchAccountError
from reports.wording import sentence
from reports.writing import Reader

REFRESH_S = 10
FIGURES_FIRST_S = 0.2
PERIODS = (7, 30, 90, 365, 730)
USUAL_DAYS = 30
PERIOD_NAMES = {365: "period-year", 730: "period-years"}


def page() -> None:
    """Draw the account named in the address, or a choice of accounts."""
    words = data.reader()
    code = st.query_params.get("account")
    try:
        if code:
            show(data.today(code).account)
        else:
            choose_account(text("choose-account-do", words.language), words)
    except NoSuchAccountError:
        st.html(
            phrase.empty(
                phrase.said("account-unknown", words, code=code or ""),
                phrase.said("account-unknown-do", words),
            )
        )
        st.html(markup.back_link(words))
    except data.ServiceAwayError:
        st.html(phrase.empty(phrase.said("service-away", words), ""))


def show(account: Account) -> None:
    """Draw one account."""
    st.set_page_config(
        page_title=f"{account.name} · {text('product', data.source().language)}"
    )
    st.html(markup.account_head(account, data.reader(account)))
    today_section(account.code)
    period_section(account)
    meters_section(account)


@st.fragment(run_every=REFRESH_S)
def today_section(code: str) -> None:
    """Draw how it stands now, again every few seconds."""
    try:
        today = data.today(code)
    except data.ServiceAwayError:
        st.html(phrase.empty(phrase.said("service-away", data.reader()), ""))
        return
    reader = data.reader(today.account)
    st.html(markup.figures(figures.of_today(today, reader)))
    chart, alerts = st.columns([2, 1], gap="small")
    with chart, st.container(key="card-today", height="stretch"):
        st.html(f"<h2>{phrase.said('section-today', reader)}</h2>")
        key_place = st.empty()
        frame = st.container(key="frame-today", gap=None)
    alt = sentence("sparkline-alt", {"name": today.account.name}, reader)
    top_kw = charts.top_kw(today.curve, today.contract_demand_kw)
    drawn = sparkline(today.curve, alert=bool(today.alerts), top_kw=top_kw)
    figure = charts.load_figure(
        today.curve,
        reader,
        contract_kw=today.contract_demand_kw,
        alerts=today.alerts,
        until=today.now,
        height=270,
    )
    key_place.html(markup.key(charts.key_of(figure)))
    frame.html(as_image(drawn, alt, name="kw-first"))
    with alerts, st.container(key="card-alerts", height="stretch"):
        st.html(f"<h2>{phrase.said('section-alerts', reader)}</h2>")
        if not today.alerts:
            st.html(alert_markup.all_well(reader))
        for alert in today.alerts:
            alert_card(alert, reader)
    _let_figures_show(code)
    with frame:
        _chart(figure, "today", alt)


@st.fragment
def period_section(account: Account) -> None:
    """Draw what a period of days comes to."""
    reader = data.reader(account)
    words = reader.language
    title, choice = st.columns([1, 2], vertical_alignment="bottom")
    title.html(f'<h2 class="kw-section">{phrase.said("section-period", reader)}</h2>')
    with choice, st.container(horizontal=True, horizontal_alignment="right"):
        days = st.segmented_control(
            text("period", words),
            PERIODS,
            default=_asked_days(),
            required=True,
            format_func=lambda days: sentence(
                PERIOD_NAMES.get(days, "period-days"), {"days": days}, reader
            ),
            label_visibility="collapsed",
            key="days",
        )
    days = days or USUAL_DAYS
    if days != _asked_days():
        st.query_params["days"] = str(days)
    review = data.review(account.code, days)
    if review.findings:
        with st.container(key="card-findings"):
            st.html(markup.findings(review.findings, reader))
    if review.data_from is None:
        return
    st.html(markup.figures(figures.of_review(review, reader)))
    _load_card(review, reader)
    _typical_card(review, reader)
    left, right = st.columns(2, gap="small")
    with left:
        _duration_card(review, reader)
    with right:
        _advice_card(review, reader)
        _tariff_card(review, reader)
    _history_card(review, reader)


@st.fragment(run_every=REFRESH_S)
def meters_section(account: Account) -> None:
    """List the meters and how they fare, again every few seconds."""
    reader = data.reader(account)
    try:
        shown = data.meters(account.code)
    except data.ServiceAwayError:
        return  # today's section says it
    with st.container(key="card-meters"):
        st.html(f"<h2>{phrase.said('section-meters', reader)}</h2>")
        st.html(meter_markup.meters(shown, reader))


def _asked_days() -> int:
    """Read the period from the address; the usual one if it names none."""
    asked = st.query_params.get("days", "")
    return next((days for days in PERIODS if str(days) == asked), USUAL_DAYS)


def _let_figures_show(code: str) -> None:
    """Wait a moment at the first visit, until the browser has shown the figures.

    Reading plotly, some megabytes, and drawing takes its whole attention; what arrives
    together is shown together, and that is late. Until then a picture of today's load
    stands where the chart will cover it.
    """
    if st.session_state.get("drawn") != code:
        st.session_state["drawn"] = code
        time.sleep(FIGURES_FIRST_S)


def _load_card(review: AccountReview, reader: Reader) -> None:
    with st.container(key="card-load"):
        st.html(f"<h2>{phrase.said('section-load', reader)}</h2>")
        st.html(markup.load_caption(review, reader))
        figure = charts.load_figure(
            review.curve,
            reader,
            contract_kw=review.contract_demand_kw,
            alerts=review.alerts,
            until=review.now,
            height=310,
        )
        st.html(markup.key(charts.key_of(figure)))
        _chart(figure, "load", text("section-load", reader.language))


def _typical_card(review: AccountReview, reader: Reader) -> None:
    with st.container(key="card-typical"):
        st.html(f"<h2>{phrase.said('section-typical', reader)}</h2>")
        st.html(phrase.note("caption-typical", reader))
        figure = charts.typical_figure(review.typical_days, reader)
        _chart(figure, "typical", text("section-typical", reader.language))


def _duration_card(review: AccountReview, reader: Reader) -> None:
    with st.container(key="card-duration", height="stretch"):
        st.html(f"<h2>{phrase.said('section-duration', reader)}</h2>")
        st.html(phrase.note("caption-duration", reader))
        figure = charts.duration_figure(review.duration, reader)
        _chart(figure, "duration", text("section-duration", reader.language))


def _advice_card(review: AccountReview, reader: Reader) -> None:
    with st.container(key="card-advice"):
        st.html(f"<h2>{phrase.said('hint-title', reader)}</h2>")
        st.html(markup.advice(review, reader))


def _tariff_card(review: AccountReview, reader: Reader) -> None:
    with st.container(key="card-tou"):
        st.html(f"<h2>{phrase.said('section-tou', reader)}</h2>")
        st.html(markup.tariff_periods(review, reader))


def _history_card(review: AccountReview, reader: Reader) -> None:
    with st.container(key="card-history"):
        st.html(f"<h2>{phrase.said('section-history', reader)}</h2>")
        if review.alerts:
            st.html(alert_markup.history(review.alerts, reader))
        else:
            st.html(phrase.note("no-history", reader))


def _chart(figure: charts.Figure, key: str, alt: str) -> None:
    st.plotly_chart(
        figure, config=charts.CONFIG, theme=None, key=f"chart-{key}", alt=alt
    )


page()
