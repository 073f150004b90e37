"""The single figures of the pages, in words. Pure."""

import math
from dataclasses import dataclass

from reports.account_views import AccountReview
from reports.portfolio import Portfolio
from reports.today import AccountToday
from reports.wording import sentence
from reports.writing import (
    ABSENT,
    Figure,
    Reader,
    energy,
    moment,
    money,
    percent,
    power,
)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One figure as a person reads it."""

    label: str
    value: str
    note: str = ""
    help: str | None = None


def of_portfolio(portfolio: Portfolio, reader: Reader) -> tuple[Shown, ...]:
    """Sum up all accounts."""
    return (
        _shown("figure-accounts", str(len(portfolio.rows)), reader),
        _shown(
            "figure-open-alerts",
            str(portfolio.open_alerts),
            reader,
            "figure-waiting" if portfolio.waiting else "",
            waiting=portfolio.waiting,
        ),
        _shown("figure-late-meters", str(portfolio.late), reader),
        Shown(
            label=_say("figure-energy-today", reader),
            value=energy(portfolio.energy_kwh),
            note=against_expected(portfolio.difference_percent, reader),
        ),
    )


def of_today(today: AccountToday, reader: Reader) -> tuple[Shown, ...]:
    """Say how an account stands now."""
    curve, at = today.curve, today.curve.newest
    has_band = at is not None and not math.isnan(curve.expected_kw[at])
    return (
        _shown(
            "figure-now",
            ABSENT if at is None else power(curve.load_kw[at]),
            reader,
            "figure-expected-now" if has_band else "figure-no-band",
            low_kw=curve.low_kw[at] if at is not None else None,
            high_kw=curve.high_kw[at] if at is not None else None,
        ),
        _shown(
            "figure-today",
            energy(curve.energy_kwh) if at is not None else ABSENT,
            reader,
            *_expected_note(curve.expected_so_far_kwh),
            expected_kwh=curve.expected_so_far_kwh,
        ),
        _shown(
            "figure-peak-today",
            power(curve.peak_kw),
            reader,
            _contract_note(today.contract_demand_kw, curve.peak_kw),
            contract_percent=today.contract_percent,
            contract_kw=today.contract_demand_kw,
        ),
        _newest(today, reader),
    )


def _newest(today: AccountToday, reader: Reader) -> Shown:
    age_s = today.age_s
    if age_s is None:
        return _shown("figure-newest", ABSENT, reader, "figure-never")
    note = "figure-data-missing" if today.missing else "figure-data-complete"
    return _shown(
        "figure-newest",
        sentence("figure-age", {"age_s": age_s}, reader),
        reader,
        "figure-late" if today.late else note,
        missing=today.missing,
    )


def of_review(review: AccountReview, reader: Reader) -> tuple[Shown, ...]:
    """Sum up the period shown."""
    when = "" if review.peak_at is None else moment(review.peak_at, reader)
    share = review.contract_percent
    if not math.isnan(share):
        told = sentence("figure-share-of-contract", {"share_percent": share}, reader)
        when = f"{when} · {told}" if when else ""
    factor = 100 * review.load_factor
    charge = review.energy_charge
    return (
        Shown(
            label=_say("figure-peak", reader), value=power(review.peak_kw), note=when
        ),
        _shown("figure-energy", energy(review.energy_kwh), reader),
        _shown(
            "figure-load-factor",
            percent(factor),
            reader,
            "figure-mean",
            help_code="figure-load-factor-help",
            mean_kw=review.mean_kw,
        ),
        Shown(
            label=_say("figure-charge", reader),
            value=ABSENT if charge is None else money(charge, reader.currency),
            note=review.tariff_name or _say("figure-no-tariff", reader),
        ),
    )


def against_expected(difference_percent: float, reader: Reader) -> str:
    """Say how far energy is from what was expected of it."""
    if math.isnan(difference_percent):
        return _say("figure-no-band", reader)
    if not round(difference_percent):
        return _say("figure-as-expected", reader)
    signed = f"{difference_percent:+.0f} %".replace("-", "\N{MINUS SIGN}")
    figures = {"difference_percent_signed": signed}
    return sentence("figure-against-expected", figures, reader)


def _expected_note(expected_kwh: float) -> tuple[str]:
    return ("figure-no-band" if math.isnan(expected_kwh) else "figure-expected-so-far",)


def _contract_note(contract_kw: float | None, peak_kw: float) -> str:
    if contract_kw is None:
        return "figure-no-contract"
    return "" if math.isnan(peak_kw) else "figure-of-contract"


def _shown(
    label: str,
    value: str,
    reader: Reader,
    note: str = "",
    *,
    help_code: str | None = None,
    **figures: Figure,
) -> Shown:
    return Shown(
        label=_say(label, reader),
        value=value,
        note=sentence(note, figures, reader) if note else "",
        help=_say(help_code, reader) if help_code else None,
    )


def _say(code: str, reader: Reader) -> str:
    return sentence(code, {}, reader)
