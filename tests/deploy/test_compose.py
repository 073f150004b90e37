"""docker-compose.yml against the code: nothing in it that the code does not know."""

import re

import pytest
import yaml
from typer.exceptions import TyperException
from typer.main import get_command

from keywatt.__main__ import app
from keywatt.settings import SETTING_NAMES, variable
from tests.deploy.compose import COMPOSE, PROJECT, SECRETS, config, ours
from tests.deploy.compose import services as read_services


@pytest.fixture(scope="module")
def services() -> dict:
    return read_services(SECRETS)


def parse(arguments: list[str]) -> dict:
    """Read a command line as `keywatt` would, without running it."""
    root = get_command(app)
    name, *rest = arguments
    with root.make_context("keywatt", [name]) as above:
        return root.commands[name].make_context(name, rest, parent=above).params


def test_every_command_can_be_parsed_with_its_options(services) -> None:
    commands = {name: service["command"] for name, service in ours(services).items()}
    assert commands.keys() == {
        *("migrate", "collector", "worker", "dashboard", "simulators")
    }
    parsed = {name: parse(command) for name, command in commands.items()}
    simulators = parsed["simulators"]
    assert simulators["register"]
    assert simulators["reached_at"] == "simulators"  # as the collector will find them
    with pytest.raises(TyperException, match="--no-such-option"):
        parse([*commands["simulators"], "--no-such-option"])


def test_the_journal_is_on_a_volume() -> None:
    content = yaml.safe_load(COMPOSE.read_text())
    collector = content["services"]["collector"]
    [(volume, folder)] = (each.split(":") for each in collector["volumes"])
    assert volume in content["volumes"]
    # The image gives this folder to its user, and a new volume takes that over.
    assert f"install -d -o keywatt {folder}" in (PROJECT / "Dockerfile").read_text()
    assert collector["environment"]["KEYWATT_JOURNAL_DIR"] == f"{folder}/journal"


def test_what_simulators_must_not_forget_is_on_a_volume() -> None:
    content = yaml.safe_load(COMPOSE.read_text())
    simulators = content["services"]["simulators"]
    [(volume, folder)] = (each.split(":") for each in simulators["volumes"])
    assert volume in content["volumes"]
    assert str(parse(simulators["command"])["scenario"].parent) == folder
    # Only a folder that the image has is made the user's own.
    made = f"install -d -o keywatt {folder}\n"
    assert made in (PROJECT / "Dockerfile").read_text()


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
