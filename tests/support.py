"""What tests share: what to do about a missing part, and where measured data lies."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


def missing(reason: str) -> NoReturn:
    """Skip for want of a part, saying what to install; in CI a missing part fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"In CI nothing may be missing: {reason}")
    pytest.skip(reason)


def shared_data(name: str) -> Path:
    """Folder of one measured data set, or a skip where it is not there."""
    folder = SHARED_DATA / name
    if not folder.is_dir():
        missing(f"Measured data {name} is not at ../shared/data beside the project.")
    return folder
