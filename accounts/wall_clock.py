"""Times and days as a person types them for a site, on the clock of its wall. Pure.

Errors: `WallClockError`, one sentence with what was typed and the remedy.
"""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


class WallClockError(ValueError):
    """What was typed is no time or day there; the message is one sentence."""


def moment_on_wall(text: str, zone: ZoneInfo) -> datetime:
    """Read a moment: with its offset, or as the wall clock of a zone shows it.

    Returns
    -------
    datetime
        In UTC.

    Raises
    ------
    WallClockError
        It is no time, or the wall clock shows it never or twice.

    Examples
    --------
    >>> moment_on_wall("2026-03-02T08:00", ZoneInfo("Asia/Shanghai")).isoformat()
    '2026-03-02T00:00:00+00:00'

    """
    try:
        typed = datetime.fromisoformat(text)
    except ValueError:
        raise WallClockError(
            f"{text!r} is no time; write it like 2026-03-02T08:00, as the clock in"
            f" {zone.key} shows it, or with its offset."
        ) from None
    if typed.tzinfo is not None:
        return typed.astimezone(UTC)
    first, second = (typed.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != typed:
        raise WallClockError(
            f"{text} does not exist in {zone.key}: the clock is put forward then; give"
            " another time, or one with its offset."
        )
    raise WallClockError(
        f"{text} comes twice in {zone.key}: the clock is put back then; write"
        f" {first.isoformat(timespec='minutes')} or"
        f" {second.isoformat(timespec='minutes')}."
    )


def day_typed(text: str) -> date:
    """Read a day.

    Raises
    ------
    WallClockError
        It is none.

    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WallClockError(f"{text!r} is no day; write it like 2026-03-02.") from None
