"""Which of my accounts needs me today? Renders a Portfolio; computes nothing."""

from dataclasses import replace

import streamlit as st

from dashboard import data, figures, markup, phrase
from reports.texts import Language, text
from reports.today import AccountToday

REFRESH_S = 10


def page() -> None:
    """Draw the whole page; only its figures are drawn again by themselves."""
    words = data.reader()
    title, search, only = st.columns([2.4, 2, 1], vertical_alignment="center")
    title.html(markup.portfolio_head(data.source().manager, words))
    query = search.text_input(
        text("search", words.language),
        placeholder=f"{text('search', words.language)}: "
        f"{text('search-hint', words.language)}",
        key="query",
        label_visibility="collapsed",
    )
    only_alerts = only.toggle(text("only-alerts", words.language), key="only-alerts")
    listing(query, only_alerts=only_alerts)


@st.fragment(run_every=REFRESH_S)
def listing(query: str, *, only_alerts: bool) -> None:
    """Draw totals and rows, again every few seconds."""
    words = data.reader()
    try:
        portfolio = data.portfolio()
    except data.ServiceAwayError:
        st.html(phrase.empty(phrase.said("service-away", words), ""))
        return
    if portfolio.disturbances:
        there = replace(words, zone=portfolio.time_zone)
        st.html(markup.disturbances(portfolio.disturbances, there))
    if not portfolio.rows:
        title = phrase.said("portfolio-empty", words)
        st.html(phrase.empty(title, phrase.said("portfolio-empty-do", words)))
        return
    st.html(markup.figures(figures.of_portfolio(portfolio, words)))
    rows = [
        (row, data.reader(row.account))
        for row in portfolio.rows
        if (row.alerts or not only_alerts) and _fits(row, query, words.language)
    ]
    if rows:
        st.html(markup.portfolio_list(rows, words))
        st.html(markup.sparkline_key(words))
    elif query:
        st.html(
            phrase.empty(phrase.said("portfolio-none-found", words, query=query), "")
        )
    else:
        st.html(phrase.empty(phrase.said("no-alerts", words), ""))


def _fits(row: AccountToday, query: str, language: Language) -> bool:
    account = row.account
    sector = text(f"sector-{account.sector}", language)
    told = f"{account.name} {account.code} {sector} {account.manager}".casefold()
    return all(word in told for word in query.casefold().split())


page()
