"""Every difference between the grounds that can be looked at is still there."""

from __future__ import annotations

import pytest

from local.differences import DIFFERENCES, Difference
from local.ground import Ground

PROBED = [difference for difference in DIFFERENCES if difference.probe is not None]


@pytest.mark.parametrize("difference", PROBED, ids=lambda difference: difference.id)
def test_the_difference_is_still_there(difference: Difference, ground: Ground) -> None:
    assert difference.probe is not None
    assert difference.probe(ground), (
        f"The ground now does as an account does: {difference.what} no longer holds. Remove {difference.id!r} from "
        f"local/differences.py (or from left_out of the laptop's environment), and what stood in for it."
    )
