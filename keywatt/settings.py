"""What a person can set, read once by the command line and passed down from there.

Sources, the first that names a setting wins: the environment (`KEYWATT_BROKER_PORT`,
or `KEYWATT_BROKER_PASSWORD_FILE` for the path of a file holding a secret), the TOML
file of `--config` or `KEYWATT_CONFIG`, the default.

    ValueError
        SettingsError   one sentence: which variable or key of which file, and why
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from keywatt.clock import ClockError, SiteClock
from meters.form import read_toml, sentence

if TYPE_CHECKING:
    from storage.retention import Retention

PREFIX = "KEYWATT_"
CONFIG_VARIABLE = "KEYWATT_CONFIG"
_FOR_TESTS = "KEYWATT_TEST_"
_SECRETS = ("database_url", "database_password", "broker_password", "apprise_url")
_FILE = "_file"


class SettingsError(ValueError):
    """A setting that cannot be used; the message is one sentence for people."""


class Settings(BaseSettings):
    """Nothing else reads the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True
    )

    database_url: SecretStr | None = Field(
        None, description="PostgreSQL or TimescaleDB: postgresql://user@host:5432/name"
    )
    database_password: SecretStr | None = Field(
        None, description="password for database_url, where it holds none"
    )
    broker_host: str = Field("127.0.0.1", description="MQTT broker's host")
    broker_port: int = Field(1883, ge=1, le=65535, description="MQTT broker's port")
    broker_user: str | None = Field(None, description="name to log in to the broker")
    broker_password: SecretStr | None = Field(
        None, description="password to log in to the broker"
    )
    broker_tls: bool = Field(
        False, description="whether the broker is spoken to encrypted (TLS)"
    )
    broker_ca_file: Path | None = Field(
        None,
        description="authority of the broker's certificate; without it, the system's",
    )
    broker_cert_file: Path | None = Field(
        None, description="our own certificate, where the broker wants one"
    )
    broker_key_file: Path | None = Field(
        None, description="its key, where it does not stand in the same file"
    )
    broker_share: str | None = Field(
        None,
        pattern=r"^[^/+#\s]+$",
        description="group of collectors that divide the messages among them",
    )
    collector_name: str = Field(
        "keywatt-collector",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="name under which the broker keeps this collector's messages: the "
        "same at every start, another for each collector",
    )
    collector_polls: bool = Field(
        True,
        description="whether this collector asks Modbus meters and hears Sparkplug "
        "nodes: of those with one broker_share, exactly one should",
    )
    apprise_url: SecretStr | None = Field(
        None, description="where alerts are also sent: mail, chat or SMS by apprise URL"
    )
    clock: str | None = Field(
        None,
        description="site time SITE@UNIX*SPEED, such as "
        "2026-11-22T13:00:00Z@1763816400*60; without it, the machine's clock",
    )
    manager: str | None = Field(
        None, description="account manager whose accounts are shown; without it, all"
    )
    user: str = Field(
        "operator", min_length=1, description="who acts: stands in alert histories"
    )
    language: Literal["en", "zh"] = Field(
        "en", description="language of pages and alerts"
    )
    dashboard_host: str = Field(
        "127.0.0.1", description="address on which the dashboard listens"
    )
    dashboard_port: int = Field(
        8501, ge=1, le=65535, description="port on which the dashboard listens"
    )
    state_dir: Path = Field(
        Path(".keywatt"),
        description="folder of the demo (its database, logs and lock), and of the "
        "journal, unless it has its own",
    )
    log_archive_dir: Path | None = Field(
        None,
        description="folder into which the demo's database copies its log, for going "
        "back to a moment; without it, it does not",
    )
    journal_dir: Path | None = Field(
        None,
        description="folder in which the collector keeps polled readings until the "
        "database has them; without it, journal in state_dir",
    )
    journal_most_mb: int = Field(
        1000, ge=2, description="megabytes that the journal may take of the disk"
    )
    keep_readings_months: int = Field(
        13,
        ge=2,
        le=1200,
        description="months that readings are kept, with what was counted of them",
    )
    keep_intervals_years: int = Field(
        10,
        ge=2,
        le=100,
        description="years that settled intervals are kept, with their versions",
    )
    keep_quarantine_months: int = Field(
        13, ge=1, le=1200, description="months that what was refused is kept"
    )
    metrics_host: str = Field(
        "127.0.0.1", description="address on which the collector serves Prometheus"
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="port on which it does, such as 9464; without it, it does not",
    )
    metrics_per_meter: bool = Field(
        True, description="whether there are series for each meter, ten or so of each"
    )
    ready_file: Path | None = Field(
        None, description="file written once a service is ready (health checks)"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="how much services log on standard error"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, which comes in as arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    def database(self) -> str:
        """Return the connection string with its password, or say it is missing."""
        if self.database_url is None:
            raise SettingsError(
                "No database is set: give its address in KEYWATT_DATABASE_URL, such as "
                "postgresql://keywatt@127.0.0.1:5432/keywatt; `keywatt demo` brings "
                "its own."
            )
        url = self.database_url.get_secret_value()
        if self.database_password is None:
            return url
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415  half a second

        return make_conninfo(url, password=self.database_password.get_secret_value())

    def journal_folder(self) -> Path:
        """Return where the journal is; what is set by hand must be there already."""
        if self.journal_dir is not None:
            return self.journal_dir
        self.state_dir.mkdir(parents=True, exist_ok=True)
        return self.state_dir / "journal"

    def retention(self) -> "Retention":
        """Return how long what is kept."""
        from storage.retention import Retention  # noqa: PLC0415  brings the driver

        return Retention(
            readings_months=self.keep_readings_months,
            intervals_years=self.keep_intervals_years,
            quarantine_months=self.keep_quarantine_months,
        )

    def site_clock(self) -> SiteClock:
        """Return the clock all programs of this site share."""
        return SiteClock.parse(self.clock) if self.clock else SiteClock()


SETTING_NAMES: tuple[str, ...] = tuple(Settings.model_fields)


def variable(name: str) -> str:
    """Return a setting's environment variable."""
    return PREFIX + name.upper()


def load_settings(config: Path | None = None) -> Settings:
    """Read the settings of this process.

    Raises
    ------
    SettingsError
        An unknown variable or key, a wrong type, or a file that cannot be read.

    """
    known = [variable(name) for name in SETTING_NAMES]
    known += [variable(name + _FILE) for name in _SECRETS]
    for name in os.environ:
        if name.startswith(PREFIX) and not name.startswith(_FOR_TESTS):
            _refuse_unknown(name, [*known, CONFIG_VARIABLE], "environment variable")
    if config is None and os.environ.get(CONFIG_VARIABLE):
        config = Path(os.environ[CONFIG_VARIABLE])
    from_file = _read_config(config) if config else {}
    try:
        # mypy cannot know that the keys were checked just above.
        settings = Settings(**{**from_file, **_read_secret_files()})
        settings.site_clock()
    except ValidationError as exc:
        told = sentence(
            exc,
            dict.fromkeys(SETTING_NAMES),
            name_of=lambda name: _place(name, config),
            secrets=_SECRETS,
        )
        raise SettingsError(told) from None
    except ClockError as exc:
        raise SettingsError(f"{_place('clock', config)}: {exc}") from None
    return settings


def _refuse_unknown(name: str, known: Iterable[str], what: str) -> None:
    names = sorted(known)
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}? Known" if near else "known"
    raise SettingsError(f"Unknown {what} {name}: {hint} are {', '.join(names)}.")


def _read_config(path: Path) -> dict[str, Any]:
    # Any: what a TOML file holds is only known once pydantic has read it.
    content: dict[str, Any] = read_toml(path, SettingsError)
    for key in content:
        _refuse_unknown(key, SETTING_NAMES, f"key in settings file {path}:")
    return content


def _read_secret_files() -> Mapping[str, str]:
    found = {}
    for name in _SECRETS:
        path = os.environ.get(variable(name + _FILE))
        if not path:
            continue
        if os.environ.get(variable(name)):
            raise SettingsError(
                f"Set either {variable(name)} or {variable(name + _FILE)}, not both."
            )
        try:
            found[name] = Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is not text"
            raise SettingsError(
                f"{variable(name + _FILE)}: {path} cannot be read: {reason}."
            ) from None
        if not found[name]:
            raise SettingsError(f"{variable(name + _FILE)}: {path} is empty.")
    return found


def _place(name: str, config: Path | None) -> str:
    if variable(name) in os.environ or config is None:
        return variable(name)
    return f"Settings file {config}, key {name}"


def shown(settings: Settings) -> dict[str, str | int | None]:
    """Return every setting as people may see it: secrets as asterisks."""
    return {
        name: value if isinstance(value, int) else None if value is None else str(value)
        for name, value in settings
    }
