"""Where a broker is, and publishing through it without keeping a link oneself.

Errors
------
MqttError
    The broker cannot be reached or refused the login, in one sentence.
"""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

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

    @classmethod
    def parse(cls, url: str) -> "BrokerAddress":
        """Read `mqtt://user:password@host:port`.

        Raises
        ------
        MqttError
            If it is not of that form; the sentence does not repeat it.

        Examples
        --------
        >>> str(BrokerAddress.parse("mqtt://localhost"))
        'localhost:1883'

        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or 1883
        except ValueError:
            host = None
        if not host or parts.scheme != "mqtt":
            raise MqttError(
                "The broker's address cannot be read: it should look like "
                "mqtt://user:password@host:1883."
            )
        return cls(
            host=host,
            port=port,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )
