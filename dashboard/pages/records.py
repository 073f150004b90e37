"""What was entered for an account, by whom, when and why? Renders only."""

from collections.abc import Callable

import streamlit as st

from dashboard import data, markup, phrase, record_data, record_markup
from dashboard.pages.account_choice import choose_account
from dashboard.pages.record_actions import actions
from reports.account_records import AccountRecords
from reports.texts import text
from reports.today import NoSuchAccountError
from reports.writing import Reader

SECTIONS: dict[str, Callable[[AccountRecords, Reader], str]] = {
    "outages": record_markup.outages,
    "closures": record_markup.closures,
    "imports": record_markup.imports,
    "bills": record_markup.bills,
}


def page() -> None:
    """Draw the records of the account in the address, or a choice of accounts."""
    words = data.reader()
    code = st.query_params.get("account", "")
    try:
        if code:
            show(record_data.records(code))
        else:
            choose_account(text("choose-account-records", words.language), words)
    except NoSuchAccountError:
        told = phrase.said("account-unknown-do", words)
        title = phrase.said("account-unknown", words, code=code)
        st.html(phrase.empty(title, told) + markup.back_link(words))
    except data.ServiceAwayError:
        st.html(phrase.empty(phrase.said("service-away", words), ""))


def show(records: AccountRecords) -> None:
    """Draw what was entered for one account."""
    reader = data.reader(records.account)
    st.html(record_markup.title(records.account, reader))
    actions(records, reader)
    for name, listed in SECTIONS.items():
        with st.container(key=f"card-{name}"):
            st.html(f"<h2>{phrase.said(f'section-{name}', reader)}</h2>")
            st.html(listed(records, reader))


page()
