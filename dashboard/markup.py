"""HTML of the pages, as pure functions: values in, escaped text out."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal
from urllib.parse import quote

from accounts.account import Account
from dashboard import theme
from dashboard.alert_markup import open_alerts
from dashboard.figures import Shown, against_expected
from dashboard.phrase import said
from dashboard.sparkline import as_image, sparkline
from dashboard.thinning import LOAD_POINTS, step_of
from reports.account_views import AccountReview, PeriodShare
from reports.disturbance import Disturbance
from reports.expectation import BAND_DAYS
from reports.finding import Finding, told
from reports.texts import text
from reports.today import AccountToday
from reports.writing import ABSENT, Reader, energy, power

_NOTICEABLE_KW = 0.1


def account_link(code: str) -> str:
    """Address of an account's page, relative to the portfolio's."""
    return f"account?account={quote(code)}"


@dataclass(frozen=True, kw_only=True)
class KeyItem:
    """What one thing in a picture means."""

    name: str
    colour: str
    how: Literal["area", "line", "dashed"] = "area"


def key(items: Iterable[KeyItem]) -> str:
    """Explain what is drawn."""
    told = "".join(
        f'<span><i class="kw-{item.how}" style="color:{item.colour}"></i>'
        f"{escape(item.name)}</span>"
        for item in items
    )
    return f'<div class="kw-key">{told}</div>'


def sparkline_key(reader: Reader) -> str:
    """Explain the colours of the sparklines."""
    meanings = (
        (theme.MEASURED, "legend-measured"),
        (theme.ESTIMATED, "legend-estimated"),
        (theme.EDITED, "legend-edited"),
        (theme.rgba(theme.EXPECTED, 0.3), "legend-expected-band"),
        (theme.ALERT, "legend-alert"),
        (theme.MISSING, "legend-missing"),
    )
    return key(
        KeyItem(name=text(code, reader.language), colour=colour)
        for colour, code in meanings
    )


def portfolio_list(rows: Iterable[tuple[AccountToday, Reader]], reader: Reader) -> str:
    """List accounts, one link a row; each told in its own zone."""
    heads = ("account", "today", "energy", "peak", "data")
    head = "".join(f"<span>{said(f'table-{name}', reader)}</span>" for name in heads)
    body = "".join(portfolio_row(today, own) for today, own in rows)
    return f'<div class="kw-list"><div class="kw-head">{head}</div>{body}</div>'


def portfolio_row(today: AccountToday, reader: Reader) -> str:
    """Show one account's day and what is open."""
    account = today.account
    mark = "kw-waiting" if today.waiting else "kw-taken" if today.alerts else ""
    alt = said("sparkline-alt", reader, name=account.name)
    drawn = as_image(sparkline(today.curve, alert=bool(today.alerts)), alt)
    sub = f"{text(f'sector-{account.sector}', reader.language)} · {account.manager}"
    cells = (
        _cell("kw-who", "name", escape(account.name), escape(sub)),
        f'<div class="kw-load">{drawn}</div>',
        _cell("", "figure", energy(today.curve.energy_kwh), _against(today, reader)),
        _cell("", "figure", power(today.curve.peak_kw), _of_contract(today, reader)),
        _cell("", "figure", _age(today, reader), _gaps(today, reader)),
        open_alerts(today.alerts, reader),
    )
    return (
        f'<a class="kw-row {mark}" href="{account_link(account.code)}" '
        f'target="_self">{"".join(cells)}</a>'
    )


def _cell(outer: str, inner: str, first: str, second: str) -> str:
    return (
        f'<div class="{outer}"><div class="kw-{inner}">{first}</div>'
        f'<div class="kw-small">{second}</div></div>'
    )


def _against(today: AccountToday, reader: Reader) -> str:
    return escape(against_expected(today.difference_percent, reader))


def _of_contract(today: AccountToday, reader: Reader) -> str:
    if today.contract_demand_kw is None or math.isnan(today.contract_percent):
        return (
            ABSENT if today.contract_demand_kw else said("figure-no-contract", reader)
        )
    told = said(
        "figure-of-contract",
        reader,
        contract_percent=today.contract_percent,
        contract_kw=today.contract_demand_kw,
    )
    over = 100.0
    return _warn(told) if today.contract_percent > over else told


def _age(today: AccountToday, reader: Reader) -> str:
    if today.age_s is None:
        return _warn(said("figure-never", reader))
    told = said("figure-age", reader, age_s=today.age_s)
    return _warn(f"{told}, {said('figure-late', reader)}") if today.late else told


def _gaps(today: AccountToday, reader: Reader) -> str:
    parts = []
    if today.missing:
        parts.append(_warn(said("figure-data-missing", reader, missing=today.missing)))
    if today.estimated:
        told = said("figure-data-estimated", reader, estimated=today.estimated)
        parts.append(f'<span class="kw-est">{told}</span>')
    if today.edited:
        told = said("figure-data-edited", reader, edited=today.edited)
        parts.append(f'<span class="kw-edited">{told}</span>')
    return ", ".join(parts) or said("figure-data-complete", reader)


def _warn(told: str) -> str:
    return f'<span class="kw-warn">{told}</span>'


def figures(shown: Iterable[Shown]) -> str:
    """Show figures side by side, as one piece: there before anything else is drawn.

    They bear the ids of Streamlit's own figures, by which browser tests find them.
    """
    return f'<dl class="kw-figures">{"".join(_figure(one) for one in shown)}</dl>'


def _figure(one: Shown) -> str:
    told = f' title="{escape(one.help)}"' if one.help else ""
    note = f'<dd class="kw-small">{escape(one.note)}</dd>' if one.note else ""
    return (
        f'<div data-testid="stMetric"><dt data-testid="stMetricLabel"{told}>'
        f"<span>{escape(one.label)}</span></dt>"
        f'<dd class="kw-value" data-testid="stMetricValue">{escape(one.value)}</dd>'
        f"{note}</div>"
    )


def findings(found: Sequence[Finding], reader: Reader) -> str:
    """List what the reader must know about the data."""
    items = "".join(f"<li>{escape(told(finding, reader))}</li>" for finding in found)
    return f'<ul class="kw-findings">{items}</ul>'


def disturbances(found: Sequence[Disturbance], reader: Reader) -> str:
    """Say what keeps many meters from being collected."""
    title = f"<b>{said('collecting-disturbed', reader)}</b>"
    items = "".join(f"<p>{escape(one.told(reader))}</p>" for one in found)
    return f'<div class="kw-alert" role="status">{title}{items}</div>'


def tariff_periods(review: AccountReview, reader: Reader) -> str:
    """Show energy and its charge by time-of-use period."""
    bar = "".join(
        f'<span style="width:{share.percent:.2f}%;'
        f'background:{theme.TARIFF[share.period]}"></span>'
        for share in review.tou
    )
    lines = "".join(
        f'<tr><td><i style="background:{theme.TARIFF[share.period]}"></i>'
        f"{said(f'tou-{share.period}', reader)}</td>"
        f"<td>{_energy_share(share, reader)}</td>"
        f"<td>{said('tou-charge', reader, charge_money=share.charge)}</td></tr>"
        for share in review.tou
    )
    return f'<div class="kw-bar">{bar}</div><table class="kw-tou">{lines}</table>'


def _energy_share(share: PeriodShare, reader: Reader) -> str:
    return said("tou-line", reader, energy_kwh=share.kwh, share_percent=share.percent)


def advice(review: AccountReview, reader: Reader) -> str:
    """Say the peak-shift hint, or why there is none."""
    hint = review.advice
    if hint is None:
        code = "hint-none" if review.has_processes else "hint-no-process"
        return f'<p class="kw-note">{said(code, reader)}</p>'
    shift = said(
        "hint-shift",
        reader,
        process=hint.process,
        from_time=f"{hint.from_time:%H:%M}",
        to_time=f"{hint.to_time:%H:%M}",
        moved_kwh=hint.moved_kwh,
        saved_money=hint.saved_money,
    )
    year = said(
        "hint-year",
        reader,
        year_money=hint.year_money,
        working_days=hint.working_days,
    )
    lower = hint.peak_kw - hint.new_peak_kw > _NOTICEABLE_KW
    peak = said(
        "hint-peak" if lower else "hint-peak-same",
        reader,
        peak_kw=hint.peak_kw,
        new_peak_kw=hint.new_peak_kw,
    )
    return f'<p class="kw-hint">{shift}</p><p class="kw-note">{year} {peak}</p>'


def portfolio_head(manager: str | None, reader: Reader) -> str:
    """Title of the portfolio and whose it is."""
    whose = (
        said("portfolio-all", reader)
        if manager is None
        else said("portfolio-of", reader, manager=manager)
    )
    title = said("portfolio-title", reader)
    return f'<h1>{title}</h1><div class="kw-sub">{whose}</div>'


def account_head(account: Account, reader: Reader) -> str:
    """Name of an account and what it is."""
    sector = said(f"sector-{account.sector}", reader)
    return (
        f"{back_link(reader)}<h1>{escape(account.name)}</h1>"
        f'<div class="kw-sub">{sector} · {escape(account.manager)} · '
        f"{escape(account.time_zone.key)} · "
        f'<a href="completeness?account={quote(account.code)}" target="_self">'
        f"{said('to-completeness', reader)}</a> · "
        f'<a href="records?account={quote(account.code)}" target="_self">'
        f"{said('nav-records', reader)}</a></div>"
    )


def back_link(reader: Reader) -> str:
    """Link to the portfolio."""
    told = said("back-to-portfolio", reader)
    return f'<a class="kw-back" href="./" target="_self">‹ {told}</a>'


def load_caption(review: AccountReview, reader: Reader) -> str:
    """Say what the long load curve shows, and from when data there is."""
    zone = review.account.time_zone.key
    step = step_of(len(review.curve), LOAD_POINTS)
    if step == 1:
        told = [said("caption-load", reader, zone=zone)]
    else:
        span_s = step * 900.0
        told = [said("caption-load-thinned", reader, zone=zone, step_s=span_s)]
    if review.days > BAND_DAYS:
        told.append(said("caption-band-short", reader, days=BAND_DAYS))
    told.append(
        said(
            "figure-data-from-until",
            reader,
            from_day=review.data_from,
            until_at=review.data_until,
        )
        + "."
    )
    return f'<div class="kw-note">{" ".join(told)}</div>'
