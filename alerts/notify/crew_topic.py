"""Tells field crews: one MQTT topic an account, JSON, at least once (QoS 1)."""

from collections.abc import Callable

from alerts.notice import DeliveryError, Notice, as_json

Publish = Callable[[str, bytes], None]
"""Publishes at QoS 1 and returns once the broker has it."""


def topic(account_code: str) -> str:
    """Return where an account's alerts are published.

    Examples
    --------
    >>> topic("steel")
    'keywatt/crews/steel/alerts'

    """
    return f"keywatt/crews/{account_code}/alerts"


class CrewTopic:
    """The channel to the crews; see crew_alert.schema.json for its payload."""

    name = "crews"

    def __init__(self, publish: Publish) -> None:
        self._publish = publish

    def send(self, notice: Notice) -> None:
        """Publish one event; raise DeliveryError if the broker did not take it."""
        where = topic(notice.account_code)
        try:
            self._publish(where, as_json(notice))
        except Exception as exc:  # whatever the injected client raises
            reason = str(exc).partition("\n")[0] or type(exc).__name__
            raise DeliveryError(
                f"The broker did not take the message for {where}: {reason}"
            ) from exc
