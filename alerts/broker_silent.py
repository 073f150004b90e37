"""When a broker cannot be reached, and not each meter that publishes there. Pure.

Collectors say when their connection to the broker stood last. As long as none of them
has one, what the meters publish is not known: none is judged beyond that time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.collector_silent import Beat, collected_at
from meters.meter import Transport

KIND = "broker-silent"
OPENED = "no-collector-reaches-it"
BACK = "broker-reached-again"


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerSilence:
    """A broker that no collector reaches."""

    broker: str
    since: datetime
    """When one was connected last."""
    proven_at: datetime


def judge_brokers(
    beats: Sequence[Beat], looking_since: datetime, now: datetime, limit: timedelta
) -> list[BrokerSilence]:
    """Return the brokers that no collector has reached for longer than the limit.

    Parameters
    ----------
    beats : sequence of Beat
        Of all collectors; those that are not there themselves tell nothing.
    looking_since : datetime
        Beats are looked for without a pause since then.
    now : datetime
    limit : timedelta
        From `alerts.collector_silent.limit_of`.

    """
    there = [beat for beat in beats if max(beat.beat_at, looking_since) + limit > now]
    found = []
    for broker in dict.fromkeys(beat.broker for beat in there):
        if broker is None:
            continue
        of_it = [beat for beat in beats if beat.broker == broker]
        since = max(collected_at(beat, Transport.MQTT) for beat in of_it)
        proven_at = max(since, looking_since) + limit
        if proven_at <= now:
            found.append(BrokerSilence(broker=broker, since=since, proven_at=proven_at))
    return found
