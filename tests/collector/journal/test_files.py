"""The journal's files under every cut and every flipped bit."""

import os
import shutil
from pathlib import Path

import pytest

from collector.journal.files import JournalFiles
from collector.journal.frame import HEAD_BYTES, Frame, Mark, frame_of, mark_from, scan
from collector.journal.lock import JournalError
from collector.journal.reader import JournalReader, Lost

MOST = 2_000_000
RECORDS = [(n % 3 + 1, bytes([n]) * (8 + n)) for n in range(8)]
"""How many readings, and the record: 1, 2, 3, 1, 2, 3, 1, 2 make 15."""


def filled(folder: Path, records=RECORDS, most_bytes: int = MOST) -> None:
    """Write records, two at a time."""
    files = JournalFiles(folder, most_bytes)
    for first in range(0, len(records), 2):
        assert files.append(records[first : first + 2]) == len(records[first:][:2])
    files.close()


def read_all(files: JournalFiles) -> list[Frame | Lost]:
    reader, pieces = JournalReader(files), []
    while found := reader.read():
        pieces += found
    return pieces


def content(pieces: list[Frame | Lost]) -> list[tuple[int, bytes]]:
    return [(p.readings, p.record) for p in pieces if isinstance(p, Frame)]


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sync nothing: here nothing is cut off from power."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    filled(tmp_path / "journal")
    return tmp_path / "journal"


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal"))


def test_what_was_appended_comes_back_in_order_after_a_restart(folder) -> None:
    files = JournalFiles(folder, MOST)
    assert (files.waiting, files.end) == (15, Mark(8, 15))
    assert content(read_all(files)) == RECORDS
    files.append([(4, b"later")])
    assert content(read_all(files)) == [*RECORDS, (4, b"later")]
    assert files.waiting == 19


def test_what_is_dropped_is_gone_after_a_restart_and_its_files_with_it(folder) -> None:
    files = JournalFiles(folder, MOST)
    files.append([(5, b"in a second segment")])
    assert len(segments(folder)) == 2
    files.drop(Mark(3, 6))
    assert len(segments(folder)) == 2
    files.close()
    files = JournalFiles(folder, MOST)
    assert files.waiting == 15 + 5 - 6
    assert content(read_all(files)) == [*RECORDS[3:], (5, b"in a second segment")]
    files.drop(Mark(8, 15))
    assert len(segments(folder)) == 1
    assert content(read_all(files)) == [(5, b"in a second segment")]
    files.drop(Mark(9, 20))
    assert (files.waiting, read_all(files)) == (0, [])
    files.close()
    files = JournalFiles(folder, MOST)
    assert (files.waiting, read_all(files)) == (0, [])
    files.append([(1, b"new")])
    assert content(read_all(files)) == [(1, b"new")]


def test_the_mark_is_on_the_disk_before_a_segment_is_gone(folder, monkeypatch) -> None:
    # After a power cut, an older mark would have its frames missed and counted lost.
    files = JournalFiles(folder, MOST)
    files.append([(5, b"in a second segment")])
    marks: list[Mark | None] = []

    def synced(file: int) -> None:
        marks.append(mark_from(os.pread(file, 100, 0)))
        assert len(segments(folder)) == 2

    monkeypatch.setattr(os, "fdatasync", synced)
    files.drop(Mark(8, 15))
    assert marks == [Mark(8, 15)]
    assert len(segments(folder)) == 1


@pytest.mark.usefixtures("careless")
def test_cut_anywhere_what_was_whole_before_the_cut_comes_back(
    folder, tmp_path
) -> None:
    (segment,) = segments(folder)
    data, ends = segment.read_bytes(), [0]
    for _, record in RECORDS:
        ends.append(ends[-1] + HEAD_BYTES + len(record))
    assert len(data) == ends[-1]
    for size in range(len(data)):
        os.truncate(segment, size)
        cut = tmp_path / "cut"
        shutil.copytree(folder, cut)
        segment.write_bytes(data)
        files = JournalFiles(cut, MOST)
        whole = sum(end <= size for end in ends[1:])
        assert content(read_all(files)) == RECORDS[:whole]
        assert files.waiting == sum(readings for readings, _ in RECORDS[:whole])
        files.append([(1, b"after")])
        assert content(read_all(files)) == [*RECORDS[:whole], (1, b"after")]
        files.close()
        shutil.rmtree(cut)


@pytest.mark.usefixtures("careless")
def test_a_flipped_bit_anywhere_takes_one_record_and_says_how_many_readings(
    folder, caplog
) -> None:
    (segment,) = segments(folder)
    data = segment.read_bytes()
    last_head = len(data) - HEAD_BYTES - len(RECORDS[-1][1])
    for place in range(len(data)):
        segment.write_bytes(flipped(data, place))
        files = JournalFiles(folder, MOST)
        pieces = read_all(files)
        (harmed,) = set(range(8)) - {RECORDS.index(r) for r in content(pieces)}
        assert content(pieces) == RECORDS[:harmed] + RECORDS[harmed + 1 :]
        lost = [piece for piece in pieces if isinstance(piece, Lost)]
        if last_head <= place < last_head + HEAD_BYTES and not lost:
            # Nothing tells such a head from a write that was cut short.
            assert f"ended in {len(data) - last_head} bytes that are no" in caplog.text
        else:
            assert [piece.readings for piece in lost] == [RECORDS[harmed][0]]
            assert len(lost[0].raw) == HEAD_BYTES + len(RECORDS[harmed][1])
        files.close()
        caplog.clear()


def flipped(data: bytes, place: int) -> bytes:
    bit = 1 << place % 8
    return data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]


def test_after_a_harmed_last_record_the_next_ones_are_kept(folder) -> None:
    (segment,) = segments(folder)
    segment.write_bytes(flipped(segment.read_bytes(), segment.stat().st_size - 1))
    files = JournalFiles(folder, MOST)
    files.append([(6, b"after")])
    pieces = read_all(files)
    assert content(pieces) == [*RECORDS[:-1], (6, b"after")]
    assert [p.readings for p in pieces if isinstance(p, Lost)] == [2]


def test_a_record_that_quotes_a_frame_is_not_taken_for_one(tmp_path) -> None:
    # What a meter sent may look like anything, a frame of this journal too.
    fake = frame_of(Mark(1, 1), 50, b"never appended")
    records = [(1, b"a"), (1, fake * 20_000), (1, b"b")]
    filled(tmp_path / "journal", records)
    files = JournalFiles(tmp_path / "journal", MOST)
    assert content(read_all(files)) == records


def test_a_segment_that_is_gone_is_counted_as_lost(tmp_path) -> None:
    folder = tmp_path / "journal"
    records = [(n + 1, bytes(70_000)) for n in range(8)]
    filled(folder, records)
    _, second, *_ = segments(folder)
    assert second.name == "00000000000000000003.journal"
    second.unlink()
    files = JournalFiles(folder, MOST)
    pieces = read_all(files)
    assert content(pieces) == records[:2] + records[4:]
    # Records 3 and 4 of 3 and 4 readings.
    assert [(p.mark, p.readings, p.raw) for p in pieces if isinstance(p, Lost)] == [
        (Mark(4, 1 + 2 + 3 + 4), 7, b"")
    ]
    files.close()
    for segment in segments(folder):
        segment.unlink()
    files = JournalFiles(folder, MOST)
    assert (read_all(files), files.waiting) == ([], 0)


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize("size", [0, 20, 40])
def test_a_new_segment_cut_short_leaves_the_count_of_those_before(folder, size) -> None:
    files = JournalFiles(folder, MOST)
    files.append([(4, b"cut short")])
    files.close()
    os.truncate(segments(folder)[-1], size)
    files = JournalFiles(folder, MOST)
    assert (files.end, files.waiting) == (Mark(8, 15), 15)
    files.append([(6, b"after")])
    assert content(read_all(files)) == [*RECORDS, (6, b"after")]
    assert files.waiting == 21


def test_files_that_go_while_it_runs_are_counted_as_lost(folder) -> None:
    files = JournalFiles(folder, MOST)
    segments(folder)[0].unlink()
    (lost,) = read_all(files)
    assert (lost.mark, lost.readings) == (Mark(8, 15), 15)


@pytest.mark.parametrize("damage", ["gone", "flipped", "empty"])
def test_without_its_mark_everything_that_is_there_comes_again(folder, damage) -> None:
    files = JournalFiles(folder, MOST)
    files.append([(1, b"second segment")])
    files.drop(Mark(8, 15))
    files.close()
    mark = folder / "dropped"
    if damage == "gone":
        mark.unlink()
    else:
        data = mark.read_bytes()
        mark.write_bytes(flipped(data, 20) if damage == "flipped" else b"")
    files = JournalFiles(folder, MOST)
    pieces = read_all(files)
    assert content(pieces) == [(1, b"second segment")]
    assert len(pieces) == 1
    assert files.waiting == 1


@pytest.mark.usefixtures("careless")
def test_it_never_takes_more_than_it_may_and_keeps_the_oldest(tmp_path) -> None:
    files = JournalFiles(tmp_path / "journal", 1_000_000)
    records = [(1, n.to_bytes(2, "big") * 500) for n in range(1200)]
    # A frame is 32 + 1000 bytes: 968 of them fit into a million bytes.
    kept = sum(files.append([record]) for record in records)
    assert kept == 1_000_000 // 1032 == 968
    assert on_disk(tmp_path / "journal") <= 1_000_000 + 4096
    assert content(read_all(files)) == records[:968]
    assert files.append(records[:2]) == 0
    # 65,536 / 1032 = 63.5: a segment holds 64 frames, and one more begins then.
    files.drop(Mark(64, 64))
    assert files.append(records[:100]) == 64
    assert content(read_all(files)) == records[64:968] + records[:64]


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_a_second_collector_is_kept_out(folder) -> None:
    files = JournalFiles(folder, MOST)
    with pytest.raises(JournalError) as said:
        JournalFiles(folder, MOST)
    assert str(said.value) == (
        f"Another collector (process {os.getpid()}) has the journal in {folder}: stop "
        "it, or give this one a folder of its own in KEYWATT_JOURNAL_DIR."
    )
    files.close()
    JournalFiles(folder, MOST).close()


def test_a_folder_whose_parent_is_not_there_is_said(tmp_path) -> None:
    with pytest.raises(JournalError) as said:
        JournalFiles(tmp_path / "none" / "journal", MOST)
    assert str(said.value) == (
        f"The journal's folder {tmp_path}/none/journal cannot be made, {tmp_path}/none "
        "is not there: make it, or name another in KEYWATT_JOURNAL_DIR."
    )


def test_a_file_in_its_place_is_said(tmp_path) -> None:
    (tmp_path / "journal").write_text("")
    with pytest.raises(JournalError, match=r"journal \(File exists\): let this user"):
        JournalFiles(tmp_path / "journal", MOST)


def test_scan_waits_for_the_rest_of_a_frame() -> None:
    data = frame_of(Mark(), 1, b"first") + frame_of(Mark(1, 1), 1, b"second")
    for size in range(len(data)):
        found = scan(data[:size], is_end=False)
        assert all(isinstance(piece, Frame) for piece in found.pieces)
        assert len(found.pieces) == (size >= HEAD_BYTES + 5)
