"""How many bytes are to come."""

from __future__ import annotations

import pytest

from veopipe.plan.volume import BYTES_A_SECOND, size_of, volume
from veopipe.takes.kinds import Experience, Kind, Mean
from veopipe.takes.order import SIZES

HD: Kind = ("https://a:443", "veo", "1080p", 8)
UHD: Kind = ("https://a:443", "veo", "4k", 8)


def test_what_is_on_record_counts_and_the_rest_is_assumed() -> None:
    found = volume([HD, HD, UHD], {HD: Experience(size=Mean(11_000_000.0, 3))})

    assert (found.bytes, found.takes, found.assumed) == (2 * 11_000_000 + 8 * BYTES_A_SECOND["4k"], 3, 1)


@pytest.mark.parametrize("resolution", sorted({resolution for resolution, _ in SIZES}))
def test_every_resolution_has_a_size_that_grows_with_its_length(resolution: str) -> None:
    short, long = (size_of(("a", "b", resolution, seconds), {}) for seconds in (4, 8))

    assert resolution in BYTES_A_SECOND
    assert long == 2 * short > 0


def test_a_resolution_of_a_newer_veopipe_counts_as_the_largest() -> None:
    assert size_of(("a", "b", "8k", 1), {}) == BYTES_A_SECOND["4k"]
