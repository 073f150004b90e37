"""One alert with what a person can do about it."""

from collections.abc import Callable
from datetime import datetime, time, timedelta

import streamlit as st

from alerts.lifecycle import AlertError
from dashboard import alert_markup, data
from reports.alert_views import AlertView
from reports.texts import text
from reports.wording import sentence
from reports.writing import Reader


def alert_card(alert: AlertView, reader: Reader) -> None:
    """Draw an alert, its history and its buttons."""
    st.html(alert_markup.alert_block(alert, reader))
    done = st.session_state.pop(f"done-{alert.alert_id}", None)
    if done:
        st.success(done)
    with st.container(horizontal=True, key=f"actions-{alert.alert_id}"):
        # A place of its own for each: in the place of an open one that has gone, a
        # browser would show the next one open.
        to_acknowledge, to_plan = st.empty(), st.empty()
    if alert.state == "open":
        name = text("acknowledge", reader.language)
        with to_acknowledge.popover(name, type="primary"):
            _acknowledge_form(alert, reader)
    if alert.state in {"open", "acknowledged"}:
        with to_plan.popover(text("mark-planned", reader.language)):
            _planned_form(alert, reader)


def _acknowledge_form(alert: AlertView, reader: Reader) -> None:
    words = reader.language
    with st.form(f"acknowledge-{alert.alert_id}", border=False):
        st.caption(text("acknowledge-do", words))
        why = st.text_input(
            text("reason-optional", words), key=f"seen-why-{alert.alert_id}"
        )
        if st.form_submit_button(text("acknowledge", words), type="primary"):
            _do(
                alert,
                lambda: data.acknowledge(alert.alert_id, why.strip()),
                sentence("done-acknowledged", _by(), reader),
            )


def _planned_form(alert: AlertView, reader: Reader) -> None:
    words, local = reader.language, data.now().astimezone(reader.zone)
    with st.form(f"planned-{alert.alert_id}", border=False):
        st.caption(text("mark-planned-do", words))
        why = st.text_input(text("reason", words), key=f"plan-why-{alert.alert_id}")
        day, clock = st.columns(2)
        on = day.date_input(
            text("until-date", words),
            value=local.date() + timedelta(days=1),
            min_value=local.date(),
            key=f"plan-day-{alert.alert_id}",
        )
        at = clock.time_input(
            text("until-time", words), value=time(6), key=f"plan-time-{alert.alert_id}"
        )
        if not st.form_submit_button(text("mark-planned", words), type="primary"):
            return
        until = datetime.combine(on, at, reader.zone)
        if not why.strip():
            st.error(text("reason-missing", words))
        elif until <= data.now():
            st.error(text("until-past", words))
        else:
            _do(
                alert,
                lambda: data.mark_planned(alert.alert_id, why.strip(), until),
                sentence("done-planned", _by() | {"until_at": until}, reader),
            )


def _by() -> dict[str, str | datetime]:
    return {"who": data.source().user, "at": data.now()}


def _do(alert: AlertView, act: Callable[[], None], done: str) -> None:
    """Act, then draw the page again as it is stored."""
    try:
        act()
    except (AlertError, data.ServiceAwayError) as exc:
        st.error(str(exc))
    else:
        st.session_state[f"done-{alert.alert_id}"] = done
        st.rerun()
