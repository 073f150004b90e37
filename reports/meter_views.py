"""The meters of one account: what each is, when it was heard, how its clock stands."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from reports.portfolio import account_of
from reports.today import LATE_AFTER
from storage.watching import load_watched

CLOCK_LIMIT_S = 180.0
"""Further off, and an alert opens."""
_RIGHT_S = 1.0
"""So far off, what is measured is the way to the meter and back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterView:
    """One installed meter."""

    serial: str
    profile: str
    """Of what type it is."""
    point_name: str
    newest_at: datetime | None
    """Of what time its newest reading is; None = it never gave one."""
    age_s: float | None
    """How old that is."""
    drift_s: float | None
    """How far its clock is ahead; None where it gives none."""
    compared_at: datetime | None
    offline_at: datetime | None = None
    """Since when it is offline, by its last will; None = it is not, or has none."""

    @property
    def is_late(self) -> bool:
        """Whether its newest reading is too old to go on with."""
        return self.age_s is None or self.age_s > LATE_AFTER.total_seconds()

    @property
    def clock_is_right(self) -> bool:
        """Whether its clock shows our time, as far as that can be told."""
        return self.drift_s is not None and abs(self.drift_s) < _RIGHT_S

    @property
    def clock_is_wrong(self) -> bool:
        """Whether its clock puts energy into the wrong quarter-hour."""
        return self.drift_s is not None and abs(self.drift_s) > CLOCK_LIMIT_S


def meters_of(
    conn: Connection[TupleRow],
    account_code: str,
    now: datetime,
    manager: str | None = None,
) -> tuple[MeterView, ...]:
    """Return an account's meters, by point; raises NoSuchAccountError as `account_of`.

    Parameters
    ----------
    conn : Connection
    account_code : str
    now : datetime
    manager : str or None
        Who asks; None may see every account.

    """
    account = account_of(conn, account_code, manager)
    return tuple(
        MeterView(
            serial=meter.serial,
            profile=meter.profile.rpartition("/")[2].removesuffix(".toml"),
            point_name=meter.point_name,
            newest_at=meter.measured_at,
            age_s=_age_s(meter.measured_at, now),
            drift_s=meter.drift_s,
            compared_at=meter.compared_at,
            offline_at=meter.offline_now_at,
        )
        for meter in load_watched(conn, now, account.account_id)
    )


def _age_s(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else (now - at).total_seconds()
