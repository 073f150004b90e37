"""Compressed payloads, known by their first bytes. Pure.

Never more than the bound is unpacked: a few kilobytes can hold gigabytes of zeros.
"""

import sys
import zlib
from typing import Literal

from meters.payload_error import PayloadError
from meters.refusal import Reason

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_FIRST = (_GZIP[0], _ZSTD[0])
_WITH_GZIP_HEADER = 31
_WIDEST_WINDOW = {int(zstd.DecompressionParameter.window_log_max): 23}
"""8 MiB, which RFC 8878 wants every decoder to hold, and no more memory than that."""


def unpacked(payload: bytes, most_bytes: int) -> bytes:
    """Return what a payload says, unpacked if it is gzip or zstd.

    Parameters
    ----------
    payload : bytes
        As it came.
    most_bytes : int
        More than that it may not become.

    Raises
    ------
    PayloadError
        If it is larger, packed or unpacked, or packed but broken.

    """
    if len(payload) > most_bytes:
        raise PayloadError(
            Reason.TOO_LARGE,
            f"The payload has {len(payload)} bytes, more than {most_bytes}.",
        )
    if not payload or payload[0] not in _FIRST:
        return payload
    if payload.startswith(_GZIP):
        return _unzipped(payload, most_bytes)
    if payload.startswith(_ZSTD):
        return _unzstd(payload, most_bytes)
    return payload


def _unzipped(payload: bytes, most_bytes: int) -> bytes:
    """Unpack gzip."""
    unpacker = zlib.decompressobj(_WITH_GZIP_HEADER)
    try:
        made = unpacker.decompress(payload, most_bytes + 1)
    except zlib.error as exc:
        raise _broken("gzip", str(exc)) from None
    return _whole("gzip", made, unpacker.eof, unpacker.unused_data, most_bytes)


def _unzstd(payload: bytes, most_bytes: int) -> bytes:
    """Unpack zstd."""
    unpacker = zstd.ZstdDecompressor(options=_WIDEST_WINDOW)
    try:
        made = unpacker.decompress(payload, most_bytes + 1)
    except zstd.ZstdError as exc:
        raise _broken("zstd", str(exc)) from None
    return _whole("zstd", made, unpacker.eof, unpacker.unused_data, most_bytes)


def _whole(
    kind: str,
    made: bytes,
    is_whole: bool,  # noqa: FBT001 - as the libraries say it
    rest: bytes,
    most_bytes: int,
) -> bytes:
    """Return what was unpacked, if it is all and not too much."""
    if len(made) > most_bytes:
        raise PayloadError(
            Reason.TOO_LARGE,
            f"The {kind} payload unpacks to more than {most_bytes} bytes.",
        )
    if not is_whole:
        raise _broken(kind, "it ends too early")
    if rest:
        raise _broken(kind, f"{len(rest)} bytes follow it")
    return made


def _broken(kind: str, why: str) -> PayloadError:
    return PayloadError(
        Reason.BROKEN_COMPRESSION, f"The {kind} payload cannot be unpacked: {why}."
    )


def packed(payload: bytes, kind: Literal["gzip", "zstd"]) -> bytes:
    """Inverse of `unpacked`, for the simulators."""
    if kind == "zstd":
        return zstd.compress(payload)
    packer = zlib.compressobj(wbits=_WITH_GZIP_HEADER)
    return packer.compress(payload) + packer.flush()
