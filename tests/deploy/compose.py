"""docker-compose.yml as Docker would read it."""

import os
import shutil
import subprocess
from pathlib import Path

import yaml

from tests.support import missing

PROJECT = Path(__file__).parents[2]
COMPOSE = PROJECT / "docker-compose.yml"
SECRETS = {
    "KEYWATT_DATABASE_PASSWORD": "d-secret",
    "KEYWATT_COLLECTOR_PASSWORD": "c-secret",
    "KEYWATT_WORKER_PASSWORD": "w-secret",
    "KEYWATT_USER": "Li Wei",
}


def config(variables: dict[str, str]) -> subprocess.CompletedProcess:
    """Let Compose put the variables in, for all profiles."""
    if not shutil.which("docker-compose"):
        missing("docker-compose is not installed: apt-get install docker-compose")
    no_env_file = PROJECT / ".env.example"  # in it all is empty
    return subprocess.run(
        [
            *("docker-compose", "--profile", "simulators"),
            *("--env-file", no_env_file, "-f", COMPOSE, "config"),
        ],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def services(variables: dict[str, str]) -> dict[str, dict]:
    """Return all services with these variables put in."""
    done = config(variables)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]


def ours(services: dict[str, dict]) -> dict[str, dict]:
    """Return those that run Keywatt's own image."""
    return {
        k: v for k, v in services.items() if v.get("image", "").startswith("keywatt")
    }
