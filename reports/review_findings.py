"""What the reader of an account's page must know about its data."""

from collections.abc import Sequence
from datetime import datetime

from analytics.deviation import HISTORY_DAYS
from analytics.finding import Finding
from reports.load_curve import LoadCurve
from reports.today import LATE_AFTER
from storage.bill_changes import BillChange


def findings_of(
    curve: LoadCurve,
    *,
    days_seen: int,
    like_days: int | Finding,
    newest_reading_at: datetime | None,
    now: datetime,
    has_tariff: bool,
    has_contract_demand: bool,
    bills: Sequence[BillChange] = (),
) -> tuple[Finding, ...]:
    """Return what is odd, the worst first; each is said by reports.finding."""
    if not curve.known.any():
        return (Finding(code="no-data"), *_billed_otherwise(bills))
    found = _billed_otherwise(bills)
    figures: dict[str, float | str]
    if newest_reading_at is not None and now - newest_reading_at > LATE_AFTER:
        age_s = (now - newest_reading_at).total_seconds()
        figures = {"age_s": age_s, "newest_at": newest_reading_at.isoformat()}
        found.append(Finding(code="late-meter", figures=figures))
    known, missing = int(curve.known.sum()), int(curve.missing.sum())
    estimated = int(curve.estimated.sum())
    expected = known + missing
    if missing:
        figures = {
            "missing": missing,
            "expected": expected,
            "missing_percent": 100 * missing / expected,
        }
        found.append(Finding(code="gaps", figures=figures))
    if estimated:
        figures = {"estimated": estimated, "expected": expected}
        found.append(Finding(code="estimated", figures=figures))
    edited = int(curve.edited.sum())
    if edited:
        figures = {"edited": edited, "expected": expected}
        found.append(Finding(code="edited", figures=figures))
    if isinstance(like_days, Finding):
        found.append(like_days)
    elif days_seen < HISTORY_DAYS and days_seen * 96 < len(curve):
        found.append(Finding(code="little-history", figures={"days": days_seen}))
    if not has_tariff:
        found.append(Finding(code="no-tariff"))
    if not has_contract_demand:
        found.append(Finding(code="no-contract-demand"))
    return tuple(found)


def _billed_otherwise(bills: Sequence[BillChange]) -> list[Finding]:
    """Say which bills are not what is believed now: of several, the newest."""
    if not bills:
        return []
    newest = bills[-1]
    figures: dict[str, float | str] = {
        "bills": len(bills),
        "bill": str(newest.bill_id),
        "first_day": newest.first_day.isoformat(),
        "last_day": newest.last_day.isoformat(),
        "intervals": newest.intervals,
        "change_kwh": newest.change_kwh,
    }
    code = "bill-differs" if len(bills) == 1 else "bills-differ"
    return [Finding(code=code, figures=figures)]
