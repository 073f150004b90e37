"""Serve the dashboard: Streamlit in this process, told where the data is.

RuntimeError
    PageError   the address cannot be listened on; one sentence
"""

import errno
import socket

from dashboard.data import Source
from keywatt.settings import Settings
from keywatt.settling.trial import settle_on_trial
from storage.database import open_pool


class PageError(RuntimeError):
    """The dashboard cannot be served; one sentence for people."""


def serve(settings: Settings, database_url: str) -> None:
    """Serve the pages until SIGTERM or Ctrl-C.

    Raises
    ------
    PageError
        Another program listens there, or the address is not this machine's.

    """
    from dashboard.launch import serve as serve_pages  # noqa: PLC0415  takes a second

    host, port = settings.dashboard_host, settings.dashboard_port
    _check_address(host, port)
    with open_pool(database_url) as pool:
        source = Source(
            connect=pool.connection,
            now=settings.site_clock().now,
            settle_on_trial=settle_on_trial,
            user=settings.user,
            manager=settings.manager,
            language=settings.language,
        )
        serve_pages(source, address=host, port=port)


def _check_address(host: str, port: int) -> None:
    """Say now what Streamlit would only log."""
    try:
        [(family, kind, _, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        taken = exc.errno == errno.EADDRINUSE
        reason = "another program listens there" if taken else exc.strerror
        raise PageError(
            f"The dashboard cannot listen on {host}:{port} ({reason}): set "
            "KEYWATT_DASHBOARD_HOST or KEYWATT_DASHBOARD_PORT to another."
        ) from None
