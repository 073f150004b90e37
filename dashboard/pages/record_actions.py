"""What a person can do about an account's records: enter some, and take one back."""

from collections.abc import Callable
from datetime import datetime, time

import streamlit as st

from dashboard import data, record_data, record_markup
from reports.account_records import AccountRecords
from reports.texts import text
from reports.wording import sentence
from reports.writing import Figure, Reader

KINDS = ("planned", "reported")


def actions(records: AccountRecords, reader: Reader) -> None:
    """Draw the buttons, each with its form, and say what was done."""
    done = st.session_state.pop("record-done", None)
    if done:
        st.success(done)
    if not records.points:
        return
    with st.container(horizontal=True, key="actions-records"):
        with st.popover(text("outage-enter", reader.language), type="primary"):
            _outage_form(records, reader)
        with st.popover(text("closure-enter", reader.language)):
            _closure_form(records, reader)
        with st.popover(text("record-take-back", reader.language)):
            _take_back_form(records, reader)


def _outage_form(records: AccountRecords, reader: Reader) -> None:
    words, today = reader.language, data.now().astimezone(reader.zone).date()
    with st.form("outage", border=False):
        st.caption(sentence("outage-enter-note", {"zone": str(reader.zone)}, reader))
        names = [point.name for point in records.points]
        point = st.selectbox(text("table-point", words), names, key="outage-point")
        ends = []
        for name, usual in (("since", time(8)), ("until", time(12))):
            left, right = st.columns(2)
            on = left.date_input(
                text(f"{name}-date", words), value=today, key=f"outage-{name}-day"
            )
            at = right.time_input(
                text("until-time", words), value=usual, key=f"outage-{name}-time"
            )
            ends.append(datetime.combine(on, at))
        kind = st.radio(
            text("table-kind", words),
            KINDS,
            format_func=lambda kind: text(f"outage-{kind}", words),
            horizontal=True,
            key="outage-kind",
        )
        why = st.text_input(text("reason", words), key="outage-why")
        if not st.form_submit_button(text("outage-enter", words), type="primary"):
            return
    since, until = ends

    def act() -> str:
        number, days = record_data.enter_outage(
            records.account.code, point, since, until, kind=kind, why=why.strip()
        )
        figures = _by() | {"number": str(number), "days": days}
        return sentence("outage-entered", figures, reader)

    _do(why, act, reader)


def _closure_form(records: AccountRecords, reader: Reader) -> None:
    words, today = reader.language, data.now().astimezone(reader.zone).date()
    with st.form("closure", border=False):
        st.caption(text("closure-enter-note", words))
        left, right = st.columns(2)
        first = left.date_input(
            text("since-date", words), value=today, key="closure-first"
        )
        last = right.date_input(
            text("until-date", words), value=today, key="closure-last"
        )
        why = st.text_input(text("reason", words), key="closure-why")
        if not st.form_submit_button(text("closure-enter", words), type="primary"):
            return

    def act() -> str:
        code = records.account.code
        days = record_data.enter_closure(code, first, last, why.strip())
        figures = _by() | {"days": days}
        return sentence("closure-entered", figures, reader)

    _do(why, act, reader)


def _take_back_form(records: AccountRecords, reader: Reader) -> None:
    words = reader.language
    entries = record_markup.counting(records, reader)
    if not entries:
        st.caption(text("record-none-counts", words))
        return
    with st.form("take-back", border=False):
        st.caption(text("record-take-back-note", words))
        name = st.selectbox(text("record-which", words), list(entries), key="which")
        why = st.text_input(text("reason", words), key="take-back-why")
        if not st.form_submit_button(text("record-take-back", words), type="primary"):
            return

    def act() -> str:
        record_data.take_back(records.account.code, entries[name], why.strip())
        figures = _by() | {"name": name}
        return sentence("record-taken-back", figures, reader)

    _do(why, act, reader)


def _by() -> dict[str, Figure]:
    return {"who": data.source().user}


def _do(why: str, act: Callable[[], str], reader: Reader) -> None:
    """Act, then draw the page again as it is stored; without a reason, do nothing."""
    if not why.strip():
        st.error(text("record-reason-missing", reader.language))
        return
    try:
        done = act()
    except (record_data.RefusedError, data.ServiceAwayError) as exc:
        st.error(str(exc))
        return
    st.session_state["record-done"] = done
    st.rerun()
