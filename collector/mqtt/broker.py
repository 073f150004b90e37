"""Where a broker is, and publishing through it without keeping a link oneself.

Errors
------
MqttError
    The broker cannot be reached or refused the login, in one sentence.
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

CONNECT_TIMEOUT_S = 5.0


class MqttError(Exception):
    """The broker cannot be reached, or refused the login."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How a broker is known, and by what certificate it knows us."""

    ca_file: Path | None = None
    """Authorities that are trusted; None = those of the system."""
    cert_file: Path | None = None
    key_file: Path | None = None
    """Of our own certificate; None where it stands in `cert_file`."""

    def context(self) -> ssl.SSLContext:
        """Read the files.

        Raises
        ------
        MqttError
            Naming the file that cannot be used.

        """
        reading = self.ca_file
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                reading = self.cert_file
                context.load_cert_chain(self.cert_file, self.key_file, lambda: b"")
        except OSError as exc:  # SSLError is one
            if self.key_file is not None and not self.key_file.exists():
                reading = self.key_file
            why = exc.strerror or "it holds no such certificate and key"
            raise MqttError(
                f"{reading} cannot be used to connect to the MQTT broker: {why}."
            ) from None
        return context


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerAddress:
    """Where a broker listens and as whom we come."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None

    def __str__(self) -> str:
        """Give the address without the login."""
        return f"{self.host}:{self.port}"
