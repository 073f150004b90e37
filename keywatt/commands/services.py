"""The long-running programs: `collect`, `work`, `dashboard`."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import asyncio
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import (
    announce_ready,
    begin_service,
    epilogue,
    settings_of,
)

if TYPE_CHECKING:
    from collector.mqtt.broker import BrokerAddress
    from keywatt.settings import Settings

_STOP = "Ctrl-C or SIGTERM stops it cleanly. It logs on standard error."
_COLLECT = epilogue(
    "Reads every meter in the database, Modbus meters by asking and MQTT meters by "
    "listening, and writes what they say. Meters that are added, changed or removed "
    "are noticed within seconds.",
    _STOP,
    examples=("KEYWATT_BROKER_HOST=mqtt.example.org keywatt collect",),
)
_WORK = epilogue(
    "Turns readings into energy intervals, judges them, and tells of alerts. Several "
    "workers may share one database.",
    _STOP,
    examples=("KEYWATT_APPRISE_URL=mailto://user:pass@example.org keywatt work",),
)
_DASHBOARD = epilogue(
    "Serves the pages on KEYWATT_DASHBOARD_HOST and KEYWATT_DASHBOARD_PORT.",
    _STOP,
    examples=("KEYWATT_MANAGER='Li Wei' keywatt dashboard",),
)


Counts = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Where the count of answers goes at the end (JSON)."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command("collect", epilog=_COLLECT)
    def collect(ctx: typer.Context, *, counts: Counts = None) -> None:
        """Read the meters and write what they say."""
        _collect(settings_of(ctx), counts)

    @app.command("work", epilog=_WORK)
    def work(ctx: typer.Context) -> None:
        """Settle, judge and tell, in the background."""
        _work(settings_of(ctx))

    @app.command("dashboard", epilog=_DASHBOARD)
    def dashboard(ctx: typer.Context) -> None:
        """Serve the dashboard."""
        _dashboard(settings_of(ctx))


def broker_of(settings: "Settings") -> "BrokerAddress":
    """Return where the broker is and as whom we come."""
    from collector.mqtt.broker import BrokerAddress, Tls

    password = settings.broker_password
    files = (
        settings.broker_ca_file,
        settings.broker_cert_file,
        settings.broker_key_file,
    )
    return BrokerAddress(
        host=settings.broker_host,
        port=settings.broker_port,
        username=settings.broker_user,
        password=password.get_secret_value() if password else None,
        tls=Tls(*files) if settings.broker_tls or any(files) else None,
    )


def _collect(settings: "Settings", counts_file: Path | None) -> None:
    from collector.counting.counts import new_counters
    from collector.counting.metrics import Metrics
    from collector.journal.journal import Journal
    from collector.modbus.polled import PolledMeter
    from collector.run import collect
    from keywatt.demo.tally import write_counts
    from keywatt.running import cancelled_at, migrated, run_until_stopped

    begin_service(settings)
    url, now = migrated(settings), settings.site_clock().now
    ready = partial(announce_ready, settings)
    counters = new_counters()
    journal = Journal.open(
        settings.journal_folder(), most_bytes=settings.journal_most_mb * 1_000_000
    )

    polled: dict[int, PolledMeter] = {}
    metrics = Metrics(
        *(counters, journal), polled=polled, per_meter=settings.metrics_per_meter
    )

    async def main(stop: asyncio.Event) -> None:
        work = collect(
            *(url, broker_of(settings), now),
            journal=journal,
            counts=counters,
            polled=polled,
            on_ready=ready,
            on_meters=metrics.know,
            client_id=settings.collector_name,
            share=settings.broker_share,
            polls=settings.collector_polls,
        )
        await cancelled_at(stop, work)

    with ExitStack() as stack:
        if settings.metrics_port is not None:
            stack.enter_context(
                metrics.serve(settings.metrics_host, settings.metrics_port)
            )
        run_until_stopped(main)
    if counts_file:
        write_counts(
            counts_file, {t: c.asked - c.answered for t, c in counters.items()}
        )


def _work(settings: "Settings") -> None:
    from collector.mqtt.publish import publish_now
    from keywatt.jobs import run_worker
    from keywatt.running import migrated, run_until_stopped

    begin_service(settings)
    url, clock = migrated(settings), settings.site_clock()
    publish = partial(publish_now, broker_of(settings))
    apprise_url = settings.apprise_url
    secret = apprise_url.get_secret_value() if apprise_url else None

    async def main(stop: asyncio.Event) -> None:
        announce_ready(settings)
        await run_worker(
            url,
            clock.now,
            publish,
            secret,
            stop,
            language=settings.language,
            speed=clock.speed,
            keep=settings.retention(),
        )

    run_until_stopped(main)


def _dashboard(settings: "Settings") -> None:
    from keywatt.pages import serve
    from keywatt.running import migrated

    begin_service(settings)
    serve(settings, migrated(settings))
