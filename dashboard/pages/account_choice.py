"""Which account a page is about, where its address does not say."""

import streamlit as st

from dashboard import data, phrase
from reports.texts import text
from reports.writing import Reader


def choose_account(what_for: str, words: Reader) -> None:
    """Offer the accounts by name; `what_for` says what is seen then."""
    st.html(f"<h1>{phrase.said('choose-account', words)}</h1>")
    accounts = data.accounts()
    if not accounts:
        title = phrase.said("portfolio-empty", words)
        st.html(phrase.empty(title, phrase.said("portfolio-empty-do", words)))
        return
    chosen = st.selectbox(
        what_for,
        accounts,
        format_func=lambda account: account.name,
        index=None,
        key="chosen",
        placeholder=text("choose-account-hint", words.language),
        width=480,
    )
    if chosen is not None:
        st.query_params["account"] = chosen.code
        st.rerun()
