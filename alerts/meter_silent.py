"""When a meter counts as silent. Pure.

No data for two cycles, and for a quarter-hour at least. It is judged by the clock, not
when messages come: the one that does not come is the news. Only a last will is news
itself: whose connection broke is silent at once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

KIND = "meter-silent"
SILENT = "meter-silent"
NEVER_HEARD = "meter-never-heard"
"""Code where the meter gave no reading since it was installed."""
OFFLINE = "meter-offline"
"""Code where its last will says so."""
OPENED = "no-reading-in-time"
LAST_WILL = "last-will"
HEARD = "heard-again"
ONLINE = "online-again"
LEAST = timedelta(minutes=15)
PERIODS = 2
_PIPELINE_S = 10.0
"""What a reading may take until it is stored, in seconds of the machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Silence:
    """A silent meter."""

    code: str
    since: datetime
    """When it was heard last, or installed."""
    proven_at: datetime
    offline_at: datetime | None = None
    """When its last will said that it is offline, if that is why."""


def limit_of(every_s: float, speed: float = 1.0) -> timedelta:
    """Return how long a meter may be quiet.

    Parameters
    ----------
    every_s : float
        How often a reading is due. [seconds of the machine]
    speed : float
        Seconds of the site in one of the machine: a demo's clock may run ahead.

    Examples
    --------
    >>> limit_of(10.0), limit_of(3600.0)
    (datetime.timedelta(seconds=900), datetime.timedelta(seconds=7200))

    """
    return max(LEAST, overdue_of(every_s, speed))


def overdue_of(every_s: float, speed: float = 1.0) -> timedelta:
    """Return after how long without a reading one is overdue.

    As `limit_of`, but for the quarter-hour that a single meter is given.

    Examples
    --------
    >>> overdue_of(10.0)
    datetime.timedelta(seconds=20)

    """
    return timedelta(seconds=max(PERIODS * every_s, _PIPELINE_S) * speed)


def judge_silence(
    heard_at: datetime | None,
    installed_at: datetime,
    now: datetime,
    limit: timedelta,
    *,
    offline_at: datetime | None = None,
    online_at: datetime | None = None,
    back_at: datetime | None = None,
) -> Silence | None:
    """Return the silence of a meter, or None where it is none.

    Parameters
    ----------
    heard_at : datetime or None
        When its newest reading came; None = never.
    installed_at : datetime
        Nothing is due before.
    now : datetime
    limit : timedelta
        From `limit_of`.
    offline_at : datetime or None
        Since when it is offline, by its last will.
    online_at : datetime or None
        When it said that it is online: its readings are due from then on.
    back_at : datetime or None
        When its collector or gateway was back: the same.

    """
    was_heard = heard_at is not None and heard_at >= installed_at
    since = heard_at if was_heard and heard_at is not None else installed_at
    if offline_at is not None:
        proven_at = max(offline_at, installed_at)
        return Silence(
            code=OFFLINE, since=since, proven_at=proven_at, offline_at=offline_at
        )
    due_from = max(at for at in (since, online_at, back_at) if at is not None)
    if now - due_from < limit:
        return None
    return Silence(
        code=SILENT if was_heard else NEVER_HEARD,
        since=since,
        # A meter may be entered long after it was installed.
        proven_at=due_from + limit if was_heard else now,
    )
