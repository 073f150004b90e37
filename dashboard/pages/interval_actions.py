"""What a person can do about one interval: set its energy, and undo that."""

import streamlit as st

from dashboard import data, ledger_data, phrase, trace_markup
from reports.day_ledger import DayDetail
from reports.interval_trace import IntervalTrace
from reports.texts import text
from reports.wording import sentence
from reports.writing import Reader

WATCH_S = 2
SHOWN_DECIMALS = 4


def edit_card(trace: IntervalTrace, detail: DayDetail, reader: Reader) -> None:
    """Draw the edits of an interval and the buttons."""
    with st.container(key="card-edits"):
        st.html(f"<h2>{phrase.said('section-edits', reader)}</h2>")
        if not trace.edits:
            st.html(phrase.note("edits-none", reader))
        done = st.session_state.pop("edit-done", None)
        if done:
            st.success(done)
        waiting = trace_markup.waiting_edits(trace, detail)
        for one in trace.edits:
            waits = one.edit_id in waiting
            st.html(trace_markup.edit(one, reader, waits=waits))
        if waiting:
            _await_settling(trace)
        why_not = _why_not(trace)
        if why_not:
            st.html(phrase.note(why_not, reader))
            return
        with st.container(horizontal=True, key="actions-edit"):
            name = text("edit-do", reader.language)
            with st.popover(name, type="primary"):
                _edit_form(trace, reader)
            for one in trace.edits:
                if one.undone_at is None:
                    _undo(trace, one.edit_id, reader)


@st.fragment(run_every=WATCH_S)
def _await_settling(trace: IntervalTrace) -> None:
    """Draw the page again as soon as the day is settled."""
    code, point, day = trace.account.code, trace.point.name, trace.local_day
    try:
        waits = ledger_data.is_dirty(code, point, day)
    except data.ServiceAwayError:
        return  # the next time
    if not waits:
        data.forget()
        st.rerun()


def _why_not(trace: IntervalTrace) -> str | None:
    """Return the code of the sentence that says why it cannot be edited."""
    if trace.stop > data.now():
        return "edit-not-over"
    return "edit-billed" if trace.bills else None


def _edit_form(trace: IntervalTrace, reader: Reader) -> None:
    words, name = reader.language, trace.start.isoformat()
    known = None if trace.now is None else trace.now.import_kwh
    with st.form(f"edit-{name}", border=False):
        st.caption(text("edit-note", words))
        kwh = st.number_input(
            text("edit-kwh", words),
            min_value=0.0,
            # What is seen is what is saved.
            value=None if known is None else round(known, SHOWN_DECIMALS),
            step=0.01,
            format=f"%.{SHOWN_DECIMALS}f",
            key=f"edit-kwh-{name}",
        )
        why = st.text_input(text("reason", words), key=f"edit-why-{name}")
        if not st.form_submit_button(text("edit-save", words), type="primary"):
            return
        if not why.strip() or kwh is None:
            st.error(text("edit-reason-missing", words))
            return
        try:
            edit_id = ledger_data.edit_interval(
                trace.account.code, trace.point.name, trace.start, kwh, why.strip()
            )
        except (ledger_data.RefusedError, data.ServiceAwayError) as exc:
            st.error(str(exc))
            return
    _done("edit-done", edit_id, reader)


def _undo(trace: IntervalTrace, edit_id: int, reader: Reader) -> None:
    words = reader.language
    name = sentence("undo-do", {"edit_id": str(edit_id)}, reader)
    with st.popover(name), st.form(f"undo-{edit_id}", border=False):
        st.caption(text("undo-note", words))
        why = st.text_input(text("reason", words), key=f"undo-why-{edit_id}")
        if not st.form_submit_button(name, type="primary"):
            return
        if not why.strip():
            st.error(text("edit-reason-missing", words))
            return
        try:
            ledger_data.undo_edit(
                trace.account.code, trace.point.name, trace.start, edit_id, why.strip()
            )
        except (ledger_data.RefusedError, data.ServiceAwayError) as exc:
            st.error(str(exc))
            return
    _done("undo-done", edit_id, reader)


def _done(code: str, edit_id: int, reader: Reader) -> None:
    """Say what was done, then draw the page again as it is stored."""
    figures = {"edit_id": str(edit_id), "who": data.source().user}
    st.session_state["edit-done"] = sentence(code, figures, reader)
    st.rerun()
