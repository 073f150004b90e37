"""How one account stands today: a row of the portfolio, the head of its page.

NoSuchAccountError(LookupError)   unknown, or not the asker's
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.account import Account
from reports.alert_views import AlertView
from reports.load_curve import LoadCurve

LATE_AFTER = timedelta(minutes=30)
"""Two quarter-hours without a reading (docs/methods.md, Silence)."""
_RECENT = 4


class NoSuchAccountError(LookupError):
    """No such account among those the asker may see; holds only the code asked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AccountToday:
    """Today's load against what was expected, and what is open."""

    account: Account
    now: datetime
    curve: LoadCurve
    """The whole local day: 92, 96 or 100 quarter-hours."""
    contract_demand_kw: float | None
    newest_reading_at: datetime | None
    alerts: tuple[AlertView, ...]
    """Those not resolved, newest first."""
    like_days: int
    """How many days the expected band is made of."""

    @property
    def waiting(self) -> int:
        """How many alerts nobody has taken yet."""
        return sum(alert.needs_someone for alert in self.alerts)

    @property
    def age_s(self) -> float | None:
        """Age of the newest reading, in seconds."""
        if self.newest_reading_at is None:
            return None
        return (self.now - self.newest_reading_at).total_seconds()

    @property
    def late(self) -> bool:
        """Whether the newest reading is older than two quarter-hours."""
        age_s = self.age_s
        return age_s is None or age_s > LATE_AFTER.total_seconds()

    @property
    def difference_percent(self) -> float:
        """Energy so far above what was expected of it; NaN without a band."""
        expected = self.curve.expected_so_far_kwh
        if math.isnan(expected) or expected <= 0:
            return math.nan
        return 100 * (self.curve.comparable_kwh / expected - 1)

    @property
    def contract_percent(self) -> float:
        """Today's peak in percent of the contract demand; NaN without either."""
        if self.contract_demand_kw is None:
            return math.nan
        return 100 * self.curve.peak_kw / self.contract_demand_kw

    @property
    def bands_away(self) -> float:
        """Distance of the last hour from expected, in half band widths.

        0 without a band or without load: what is not known ranks nobody up.
        """
        curve = self.curve
        width = curve.high_kw - curve.expected_kw
        away = abs(curve.load_kw - curve.expected_kw) / width
        known = away[away >= 0][-_RECENT:]
        return float(known.mean()) if known.size else 0.0

    @property
    def missing(self) -> int:
        """Quarter-hours of today that should be known and are not."""
        return int(self.curve.missing.sum())

    @property
    def estimated(self) -> int:
        """Quarter-hours of today that are estimated."""
        return int(self.curve.estimated.sum())

    @property
    def edited(self) -> int:
        """Quarter-hours of today that a person set."""
        return int(self.curve.edited.sum())
