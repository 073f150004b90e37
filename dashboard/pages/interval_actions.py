"""What a person can do about one interval: set its energy, and undo that."""

from typing import NamedTuple

import streamlit as st

from dashboard import data, ledger_data, phrase, trace_markup
from reports.day_ledger import DayDetail
from reports.edit_trial import Foreseen
from reports.interval_trace import IntervalTrace
from reports.texts import Language, text
from reports.wording import sentence
from reports.writing import Reader

WATCH_S = 2
SHOWN_DECIMALS = 4


class Doubts(NamedTuple):
    """What rules say against a figure that a person wants to save."""

    import_kwh: float
    foreseen: Foreseen


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
    doubts: Doubts | None = st.session_state.get(f"edit-doubts-{name}")
    with st.form(f"edit-{name}", border=False):
        st.caption(text("edit-note", words))
        kwh = _kwh_input(trace, words)
        why = st.text_input(text("reason", words), key=f"edit-why-{name}")
        meant = doubts is not None and _meant(doubts, name, reader)
        if not st.form_submit_button(text("edit-save", words), type="primary"):
            return
        if not why.strip() or kwh is None:
            st.error(text("edit-reason-missing", words))
            return
        if doubts is not None and doubts.import_kwh == kwh and not meant:
            st.error(text("edit-not-meant", words))
            return
        edited = trace.account.code, trace.point.name, trace.start, kwh, why.strip()
        try:
            if doubts is None or doubts.import_kwh != kwh:
                _ask_where_doubted(name, ledger_data.foresee_edit(*edited), kwh)
            edit_id = ledger_data.edit_interval(*edited)
        except (ledger_data.RefusedError, data.ServiceAwayError) as exc:
            st.error(str(exc))
            return
    st.session_state.pop(f"edit-doubts-{name}", None)
    _done("edit-done", edit_id, reader)


def _kwh_input(trace: IntervalTrace, words: Language) -> float | None:
    known = None if trace.now is None else trace.now.import_kwh
    return st.number_input(
        text("edit-kwh", words),
        min_value=0.0,
        # What is seen is what is saved.
        value=None if known is None else round(known, SHOWN_DECIMALS),
        step=0.01,
        format=f"%.{SHOWN_DECIMALS}f",
        key=f"edit-kwh-{trace.start.isoformat()}",
    )


def _ask_where_doubted(name: str, foreseen: Foreseen, import_kwh: float) -> None:
    """Draw the form again with what fails, and store nothing; else go on."""
    key = f"edit-doubts-{name}"
    st.session_state.pop(key, None)
    if foreseen.doubted:
        st.session_state[key] = Doubts(import_kwh, foreseen)
        st.rerun()


def _meant(doubts: Doubts, name: str, reader: Reader) -> bool:
    """Show which rules fail with a figure, and ask whether it is meant."""
    told = f"{doubts.import_kwh:,.{SHOWN_DECIMALS}f}".rstrip("0").rstrip(".")
    st.html(trace_markup.doubts(doubts.foreseen.doubted, f"{told} kWh", reader))
    # Of another figure another box: a tick is never taken over.
    key = f"edit-meant-{name}-{doubts.import_kwh}"
    return st.checkbox(text("edit-all-the-same", reader.language), key=key)


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
