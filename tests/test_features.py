"""Features of unit length: left alone where they are, else normalised; what has no direction is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mun.features import unit_rows


def test_unit_rows_are_left_alone_and_others_normalised():
    generator = np.random.default_rng(2)
    rows = generator.standard_normal((20, 8)) * 10.0 ** generator.integers(-200, 200, (20, 1))
    unit = unit_rows("features", rows)
    assert np.linalg.norm(unit, axis=1) == pytest.approx(np.ones(20), abs=1e-12)
    assert unit_rows("features", unit) is unit
    single = unit.astype(np.float32)
    assert unit_rows("features", single) is single
    assert unit_rows("features", 3 * single).dtype == np.float32
    assert unit_rows("features", [[3, 4]]).tolist() == [[0.6, 0.8]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0, 0.0], [0.0, 0.0]], "expected `features` without a zero row, got one at row 1"),
        ([[np.nan]], "expected finite `features`"),
        ([1.0], r"expected `features` of shape \(N, D\)"),
        (np.zeros((3, 0)), r"neither of them 0, got \(3, 0\)"),
    ],
)
def test_unit_rows_refuse_bad_input(rows, message):
    with pytest.raises(ValueError, match=message):
        unit_rows("features", rows)
