"""Valid files spoilt at random, and how a parser may end: with a result or with a CropError.

The suite takes a few dozen examples of each parser, always the same ones. For more, and others:
`CROP_FUZZ_EXAMPLES=5000 pytest tests/fuzz`.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from cropbase.errors import CropError

EXAMPLES = int(os.environ.get("CROP_FUZZ_EXAMPLES", "0"))
_ROOM_BYTES = 1_500_000_000


def fuzz(examples: int) -> Callable:
    """Settings of a fuzz test: `examples` in the suite, more by the environment."""
    return settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def spoilt(draw: st.DrawFn, originals: Sequence[bytes], words: Sequence[bytes] = ()) -> bytes:
    """One of the valid files after one to four blows: flipped bits, cuts, splices, words put in."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        blow = draw(st.sampled_from(["flip", "byte", "cut", "drop", "double", "splice", "word"]))
        if blow == "flip":
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif blow == "byte":
            data[at] = draw(st.integers(0, 255))
        elif blow == "cut":
            del data[at:]
        elif blow == "drop":
            del data[at : at + draw(st.integers(1, 64))]
        elif blow == "double":
            data[at:at] = data[at : at + draw(st.integers(1, 64))]
        elif blow == "splice":
            other = draw(st.sampled_from(originals))
            data[at:] = other[draw(st.integers(0, len(other))) :]
        else:
            data[at:at] = draw(st.sampled_from([b"\0", b"\xff\xfe", b"\r\n", b'"', b"-1", *words]))
    return bytes(data)


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """No more than 1.5 GB beyond what the process holds now: a bomb ends in MemoryError."""
    with open("/proc/self/statm") as statm:
        held = int(statm.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (held + _ROOM_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def survives(parse: Callable[[], object]) -> bool:
    """Run a parser within bounds: True if it read the file, False if it told what is wrong.

    Any other exception is a failure of the test.
    """
    with bounded():
        try:
            parse()
        except CropError as error:
            assert str(error).strip(), "an error without a message"
            return False
    return True


def put(path: Path, data: bytes) -> Path:
    """The bytes in a file."""
    path.write_bytes(data)
    return path
