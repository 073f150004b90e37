"""Where a broker is, and publishing through it without keeping a link oneself.

Errors
------
MqttError
    The broker cannot be reached or refused the login, in one sentence.
"""

from dataclasses import dataclass, field

CONNECT_TIMEOUT_S = 5.0


class MqttError(Exception):
    """The broker cannot be reached, or refused the login."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerAddress:
    """Where a broker listens and as whom we come."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Give the address without the login."""
        return f"{self.host}:{self.port}"
