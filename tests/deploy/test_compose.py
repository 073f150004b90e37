"""docker-compose.yml against the code: nothing in it that the code does not know."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from keywatt.__main__ import app
from keywatt.settings import SETTING_NAMES, variable
from tests.support import missing

PROJECT = Path(__file__).parents[2]
COMPOSE = PROJECT / "docker-compose.yml"
SECRETS = {
    "KEYWATT_DATABASE_PASSWORD": "a",
    "KEYWATT_COLLECTOR_PASSWORD": "b",
    "KEYWATT_WORKER_PASSWORD": "c",
    "KEYWATT_USER": "Li Wei",
}


def config(secrets: dict[str, str]) -> subprocess.CompletedProcess:
    if not shutil.which("docker-compose"):
        missing("docker-compose is not installed: apt-get install docker-compose")
    no_env_file = PROJECT / ".env.example"  # in it all is empty
    return subprocess.run(
        ["docker-compose", "--env-file", no_env_file, "-f", COMPOSE, "config"],
        env={"PATH": os.environ["PATH"], **secrets},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def services() -> dict:
    done = config(SECRETS)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]


def ours(services: dict) -> dict:
    return {
        k: v for k, v in services.items() if v.get("image", "").startswith("keywatt")
    }


def test_every_command_exists(services) -> None:
    commands = get_command(app).commands
    asked = {name: service["command"][0] for name, service in ours(services).items()}
    assert asked.keys() >= {"migrate", "collector", "worker", "dashboard"}
    assert set(asked.values()) <= commands.keys()


def test_every_variable_is_a_setting(services) -> None:
    known = {variable(name) for name in SETTING_NAMES}
    for name, service in ours(services).items():
        assert service["environment"].keys() <= known, name


def test_every_service_of_ours_is_watched_and_waits_for_the_migration(services) -> None:
    for name, service in ours(services).items():
        if name == "migrate":
            continue
        assert "healthcheck" in service, name
        waits = service["depends_on"]["migrate"]["condition"]
        assert waits == "service_completed_successfully", name


@pytest.mark.parametrize("secret", sorted(SECRETS))
def test_a_missing_secret_stops_with_a_sentence(secret) -> None:
    done = config({k: v for k, v in SECRETS.items() if k != secret})
    assert done.returncode != 0
    assert f"Set {secret} in .env" in done.stderr


def test_only_this_machine_can_reach_a_published_port(services) -> None:
    published = [str(p) for s in services.values() for p in s.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_env_example_names_every_variable_of_the_file() -> None:
    asked = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text()))
    offered = set(
        re.findall(r"^(\w+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE)
    )
    assert asked == offered


def test_the_image_holds_every_room() -> None:
    """A room that is imported but not copied would only fail in production."""
    text = (PROJECT / "Dockerfile").read_text()
    rooms = {p.parent.name for p in PROJECT.glob("*/py.typed")}
    assert {room for room in rooms if f"COPY {room} {room}" not in text} == set()
