"""Who is told of what: every event that is news goes to every channel, once.

What is left to be told stands in the delivery table, so that a killed worker forgets
nothing. A worker killed between a channel's taking a message and the commit sends it
again: receivers know it by its event_id.
"""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from psycopg import Connection
from psycopg.rows import TupleRow

from alerts.lifecycle import Action
from alerts.notice import Channel, DeliveryError, Notice
from reports.wording import Language, reason
from reports.writing import Reader
from storage.deliveries import (
    Untold,
    channels_waiting,
    mark_delivered,
    mark_failed,
    next_untold,
    note_news,
)


def to_be_told(
    conn: Connection[TupleRow], channels: list[str], now: datetime
) -> list[str]:
    """Note what is news, and return the channels that have something to be told now."""
    note_news(conn, channels, now)
    return channels_waiting(conn, channels, now)


def tell_next(
    conn: Connection[TupleRow],
    channel: Channel,
    now: datetime,
    language: Language = "en",
    *,
    back_off_s: Callable[[int], float],
) -> bool:
    """Tell a channel its next event and commit; False = there is none now.

    Parameters
    ----------
    conn : Connection
    channel : Channel
    now : datetime
        The site's time.
    language : str
    back_off_s : callable
        How long an event that failed so often waits, and its alert's later ones.

    Raises
    ------
    DeliveryError
        The channel did not take it; the attempt and its reason are committed.

    """
    untold = next_untold(conn, channel.name, now)
    if untold is None:
        return False
    try:
        channel.send(_notice(untold, language))
    except DeliveryError as exc:
        wait_s = back_off_s(untold.attempts + 1)
        mark_failed(conn, untold.event_id, channel.name, str(exc), wait_s=wait_s)
        conn.commit()
        raise
    mark_delivered(conn, untold.event_id, channel.name, now)
    conn.commit()
    return True


def _notice(untold: Untold, language: Language) -> Notice:
    return Notice(
        event_id=untold.event_id,
        alert_id=untold.alert_id,
        action=Action(untold.action),
        at=untold.at,
        who=untold.who,
        why=reason(untold.why, Reader(language=language)),
        kind=untold.kind,
        code=untold.code,
        figures=untold.figures,
        opened_at=untold.opened_at,
        account_code=untold.account_code,
        account_name=untold.account_name,
        point=untold.point,
        time_zone=ZoneInfo(untold.time_zone),
        language=language,
    )
