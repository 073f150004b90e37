"""A plant whose load a test can bend."""

from collections.abc import Iterator

import pytest

from storage.database import connect
from tests.fix_seeded_accounts import add_account
from tests.plant import FIRST_DAY, TODAY, Plant, at


@pytest.fixture
def plant(database: str) -> Iterator[Plant]:
    """A plant without any load yet, at the start of its first day."""
    with connect(database) as conn:
        seeded = add_account(conn, "mill", name="Bando Mill", read_at=None)
        conn.commit()
        yield Plant(
            conn, database, seeded.account_id, seeded.point_id, at(FIRST_DAY, 0)
        )


@pytest.fixture
def running_plant(plant: Plant) -> Plant:
    """A plant with eight usual weeks behind it, at 00:00 today; nothing was wrong."""
    assert plant.run(at(TODAY, 0)) == []
    return plant
