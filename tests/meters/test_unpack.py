"""Compressed payloads are unpacked, and never more than the bound."""

import contextlib
import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.payload_error import PayloadError
from meters.refusal import Reason
from meters.unpack import packed, unpacked, zstd

KINDS = ["gzip", "zstd"]
MOST = 65_536


@given(st.binary(max_size=2000), st.sampled_from(KINDS))
def test_unpacking_undoes_packing(payload, kind) -> None:
    assert unpacked(packed(payload, kind), MOST) == payload


@given(
    st.builds(
        bytes.__add__,
        st.sampled_from([b"", b"\x1f", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"]),
        st.binary(max_size=300),
    )
)
def test_what_is_not_packed_stays_as_it_is(payload) -> None:
    if payload[:2] == b"\x1f\x8b" or payload[:4] == b"\x28\xb5\x2f\xfd":
        with contextlib.suppress(PayloadError):
            unpacked(payload, MOST)
    else:
        assert unpacked(payload, MOST) == payload


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_the_bound_is_of_what_comes_out(kind, over) -> None:
    payload = bytes(MOST + over)
    if over <= 0:
        assert unpacked(packed(payload, kind), MOST) == payload
        return
    with pytest.raises(PayloadError) as caught:
        unpacked(packed(payload, kind), MOST)
    assert caught.value.reason is Reason.TOO_LARGE
    assert caught.value.text == f"The {kind} payload unpacks to more than 65536 bytes."


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_is_refused_before_it_is_expanded(kind) -> None:
    # 256 MiB of zeros: some 250 KB of gzip, some 20 KB of zstd.
    zeros = bytes(1 << 20)
    if kind == "gzip":
        packer = zlib.compressobj(wbits=31)
        bomb = b"".join(packer.compress(zeros) for _ in range(256)) + packer.flush()
    else:
        writer = zstd.ZstdCompressor()
        bomb = b"".join(writer.compress(zeros) for _ in range(256)) + writer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(PayloadError, match="unpacks to more than 262144 bytes"):
            unpacked(bomb, 262_144)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_frame_that_wants_a_huge_window_is_refused() -> None:
    options = {zstd.CompressionParameter.window_log: 27}
    writer = zstd.ZstdCompressor(options=options)
    greedy = writer.compress(b"x" * 100_000) + writer.flush()
    with pytest.raises(PayloadError, match="cannot be unpacked") as caught:
        unpacked(greedy, 262_144)
    assert caught.value.reason is Reason.BROKEN_COMPRESSION


@pytest.mark.parametrize("kind", KINDS)
def test_half_of_it_and_more_than_it_are_refused(kind) -> None:
    whole = packed(b'{"a": 1}' * 50, kind)
    with pytest.raises(PayloadError, match="it ends too early"):
        unpacked(whole[:-9], MOST)
    with pytest.raises(PayloadError, match="4 bytes follow it"):
        unpacked(whole + b"more", MOST)


def test_a_wrong_checksum_is_seen() -> None:
    spoilt = bytearray(gzip.compress(b"12345"))
    spoilt[-6] ^= 1
    with pytest.raises(PayloadError, match="The gzip payload cannot be unpacked: "):
        unpacked(bytes(spoilt), MOST)


def test_what_is_too_large_already_is_not_touched() -> None:
    with pytest.raises(PayloadError, match="has 65 bytes, more than 64"):
        unpacked(bytes(65), 64)
