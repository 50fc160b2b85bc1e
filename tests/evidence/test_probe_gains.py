"""Where pretrained probes pull away from random ones."""

import pandas as pd
import pytest

from helpers.evidence.probes import begins, gains_by_part, read_probes


def gains(*lows: float) -> pd.DataFrame:
    index = [f"stage{k}" for k in range(1, len(lows) + 1)]
    return pd.DataFrame({"gap": 0.1, "lo": lows, "hi": 0.2}, index=index)


@pytest.mark.parametrize(("lows", "part"), [
    ((0.1, 0.1, 0.1), "stage1"), ((-0.1, 0.1, 0.1), "stage2"), ((0.1, -0.1, 0.1), "stage3"),
    ((0.1, 0.1, -0.1), None), ((-0.1, 0.0, 0.0), None), ((float("nan"), 0.1, 0.1), "stage2"),
])  # fmt: skip
def test_it_begins_where_the_interval_stays_above_0(lows, part):
    assert begins(gains(*lows)) == part


def test_the_interval_counts_seeds_and_images_and_the_image_itself_is_left_out():
    rows = [
        {"dataset": "elpv", "weights": w, "seed": s, "part": part, "depth": depth,
         "gain": gain + s / 100, "gain_lo": gain + s / 100 - 0.03, "gain_hi": gain + s / 100 + 0.03}
        for w in ("random", "random_calibrated")
        for s in (0, 1, 2)
        for part, depth, gain in (("stage1", 2, 0.2), ("image", 0, 0.0), ("stem", 1, 0.0))
    ]  # fmt: skip
    found = gains_by_part(pd.DataFrame(rows), "elpv")
    assert list(found.index) == ["stem", "stage1"]
    assert found["gap"].tolist() == pytest.approx([0.01, 0.21])
    half = (found["hi"] - found["gap"]).iloc[0]
    assert half > 0.03, "more than the images' alone"
    assert half == pytest.approx((0.03**2 + (4.303 * 0.01 / 3**0.5) ** 2) ** 0.5, abs=1e-4)


def test_on_the_solar_cells_the_late_stages_are_well_ahead_of_random_ones():
    """Notebook 01 asks for a guess at it, so it does not stand there."""
    found = gains_by_part(read_probes(), "elpv")
    assert found.loc[["stage5", "stage6", "stage7"], "gap"].mean() > 0.03
