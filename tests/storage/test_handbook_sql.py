"""The handbook's SQL does what it says."""

import re
from pathlib import Path

import storage
from storage.database import connect
from storage.master import apply_site, master_version
from storage.meter_list import load_entries
from tests.storage_data import meter, point, site

PAGE = Path(storage.__file__).parents[1] / "docs" / "handbook" / "meter-list.md"


def test_a_meter_comes_moves_and_leaves_by_sql(plain_database) -> None:
    (block,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    statements = [one for one in block.split(";") if one.strip()]
    assert len(statements) == 4
    with connect(plain_database, autocommit=True) as conn:
        hall = {"name": "Hall", "meters": []}
        apply_site(conn, site(points=[point(meter("ST-1")), hall]))
        before = master_version(conn)
        for statement in statements:
            conn.execute(statement)
        assert master_version(conn) == before + 3
        one, _ = load_entries(conn)
        assert (one.serial, one.host, one.point) == ("ST-1002", "192.0.2.11", "Hall")
        assert one.removed_at is not None
        days = "SELECT count(*) FROM dirty_point_day"
        assert conn.execute(days).fetchone() == (6,)
