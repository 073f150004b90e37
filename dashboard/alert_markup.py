"""HTML of alerts, as pure functions: values in, escaped text out."""

from collections.abc import Sequence
from html import escape

from dashboard.phrase import note, said
from reports.alert_views import AlertView
from reports.writing import Figure, Reader

_SHOWN_ALERTS = 2


def tag(alert: AlertView, reader: Reader) -> str:
    """Name an alert's state in a small coloured label."""
    state = said(f"state-{alert.state}", reader)
    return f'<span class="kw-tag kw-tag-{escape(alert.state)}">{state}</span>'


def alert_block(alert: AlertView, reader: Reader) -> str:
    """Show one alert with every step of its life."""
    steps = "".join(f"<li>{_step(e.action, e.at, e.who, e.why, reader)}</li>"
                    for e in alert.events)  # fmt: skip
    return (
        f'<div class="kw-alert kw-state-{escape(alert.state)}">'
        f"<b>{escape(alert.title(reader))}</b> {tag(alert, reader)}"
        f"<p>{escape(alert.text(reader))}</p>"
        f'<span class="kw-small">{escape(alert.point_name)}</span>'
        f'<ul class="kw-steps">{steps}</ul></div>'
    )


def _step(action: str, at: Figure, who: str, why: str, reader: Reader) -> str:
    told = said(f"alert-{action}", reader, who=who, at=at)
    by_person = action in {"acknowledged", "planned"}
    return f"{told} {said('alert-why', reader, why=why)}" if why and by_person else told


def history(alerts: Sequence[AlertView], reader: Reader) -> str:
    """List alerts with their steps, newest first."""
    blocks = "".join(alert_block(alert, reader) for alert in alerts)
    return f'<div class="kw-history">{blocks}</div>'


def all_well(reader: Reader) -> str:
    """Say that no alert is open."""
    return (
        f'<p style="margin:.2rem 0">{said("no-alerts", reader)}</p>'
        f"{note('no-alerts-do', reader)}"
    )


def open_alerts(alerts: Sequence[AlertView], reader: Reader) -> str:
    """Say on a portfolio's row what is open; nothing if nothing is."""
    if not alerts:
        return ""
    lines = "".join(
        f"<div>{tag(alert, reader)} {escape(alert.text(reader))}</div>"
        for alert in alerts[:_SHOWN_ALERTS]
    )
    more = len(alerts) - _SHOWN_ALERTS
    if more > 0:
        lines += f'<div class="kw-small">{said("more-alerts", reader, more=more)}</div>'
    return f'<div class="kw-what">{lines}</div>'
