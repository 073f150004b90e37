"""The site's servers as programs that can be killed; their data is on disk."""

import os
import shutil
import signal
from pathlib import Path

from benchmarks.chaos.ground import listens
from benchmarks.chaos.line import HOST
from benchmarks.chaos.programs import Program
from keywatt.embedded import EmbeddedPostgres
from storage.database import DatabaseError, connect

_MOSQUITTO = """
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_on_changes {on_changes}
autosave_interval {interval}
max_inflight_messages 1000
max_queued_messages 0
max_queued_bytes 0
log_dest none
"""


def postgres_program(server: EmbeddedPostgres, logs: Path) -> Program:
    """Be the database, with what was committed safe on disk."""

    def is_ready() -> bool:
        try:
            connect(server.url).close()
        except DatabaseError:
            return False
        return True

    return Program(
        name="postgres",
        command=server.command(),
        is_ready=is_ready,
        logs=logs,
        user=server.system_user,
        folder=Path("/"),
        stop_signal=signal.SIGINT,
    )


def broker_program(folder: Path, port: int, logs: Path) -> Program:
    """Be the broker, its sessions in a folder that is made."""
    program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise SystemExit("Mosquitto is not installed: apt-get install mosquitto")
    folder.mkdir()
    write_broker_config(folder, port, saves_always=False)
    return Program(
        name="broker",
        command=[program, "-c", str(folder / "mosquitto.conf")],
        is_ready=lambda: listens(port),
        logs=logs,
    )


def write_broker_config(folder: Path, port: int, *, saves_always: bool) -> None:
    """Have the broker save at every change, or at its end alone."""
    config = _MOSQUITTO.format(
        port=port,
        host=HOST,
        folder=folder,
        on_changes=str(saves_always).lower(),
        interval=1 if saves_always else 1800,
    )
    if os.geteuid() == 0:  # it would give up its rights, and with them its folder
        config = f"user root\n{config}"
    (folder / "mosquitto.conf").write_text(config)
