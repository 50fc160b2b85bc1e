"""The measured probes and CKA: their cells, their stored rows, and what notebook 01 reads off."""

import pytest

from helpers.evidence.probes import begins, gains_by_part, read_cka, read_probes
from measure import cka, probes, runner
from measure.probes import N_TRAIN, Cell

SETS = ("elpv", "chest_xray", "flowers")
PARTS = ["stem", *(f"stage{k}" for k in range(1, 8))]


def test_the_cells_are_those_of_the_stored_tables():
    assert len(probes.cells()) == 3 * 3
    assert len(cka.cells()) == 4 * 3
    assert not runner.missing(probes.TABLE, probes.cells())
    assert not runner.missing(cka.TABLE, cka.cells())


def test_what_was_measured_holds_together():
    """The committed tables: whole curves, intervals around values, frozen parts unchanged."""
    probes = read_probes()
    assert not probes.duplicated(["dataset", "weights", "seed", "part"]).any()
    assert (probes.groupby(["dataset", "weights", "seed"]).size() == 9).all()
    assert probes["auc"].between(probes["auc_lo"], probes["auc_hi"]).all()
    assert set(probes["n_train"]) == {N_TRAIN}
    paired = probes.set_index(["dataset", "seed", "part", "weights"])
    auc = paired["auc"].unstack()
    for weights in ("random", "random_calibrated"):
        gain = paired.xs(weights, level="weights")
        ahead = auc["imagenet"] - auc[weights]
        assert gain["gain"].to_numpy() == pytest.approx(ahead[gain.index].to_numpy(), abs=2e-4)
        assert gain["gain"].between(gain["gain_lo"], gain["gain_hi"]).all()
    assert paired["gain"].isna().sum() == 3 * 3 * 9, "the pretrained network's own rows"
    cka = read_cka()
    assert (cka.groupby(["strategy", "seed"]).size() == 8).all()
    frozen = cka[(cka["strategy"] == "partial_finetune") & (cka["depth"] <= 6)]
    assert len(frozen) == 18
    assert (frozen["cka"] == 1).all()


def test_one_measured_cell_comes_out_again():
    """The cheapest cell, from the images on: the same AUC at every part, to two decimals."""
    stored = read_probes().query("dataset == 'elpv' and seed == 1")
    again = probes.measure(Cell("elpv", 1))
    for column in ("weights", "part"):
        assert [row[column] for row in again] == stored[column].tolist()
    for column in ("auc", "gain"):
        found = [row[column] for row in again]
        assert found == pytest.approx(stored[column].tolist(), abs=0.02, nan_ok=True)


def test_where_the_gap_opens_by_the_interval_of_the_difference():
    """What notebook 01 says of its figure, set by set."""
    table = read_probes()
    gains = {name: gains_by_part(table, name) for name in SETS}
    assert all(list(rows.index) == PARTS for rows in gains.values())
    assert [begins(gains[name]) for name in SETS] == ["stage4", "stage7", "stage4"]
    calibrated = [begins(gains_by_part(table, name, "random_calibrated")) for name in SETS]
    assert calibrated == ["stage3", "stage7", "stage3"]
    xray = gains["chest_xray"]["lo"]
    assert (xray[["stage4", "stage5", "stage7"]] > 0).all()
    assert -0.01 < xray["stage6"] < 0, "just not"
    assert xray[:"stage3"].max() < 0
    assert gains["chest_xray"]["gap"]["stage4":"stage6"].between(0.055, 0.065).all(), "about .06"
    early = {name: rows.loc[["stem", "stage1"]] for name, rows in gains.items()}
    assert all((rows["lo"] < 0).all() for rows in early.values()), "nowhere clearly ahead"
    assert (early["flowers"]["hi"] < 0).all(), "clearly behind"
    assert gains["flowers"]["gap"].max() > 1.5 * gains["elpv"]["gap"].max()
    assert gains["elpv"]["gap"].max() > 1.5 * gains["chest_xray"]["gap"].max()


def test_two_separate_intervals_would_have_told_another_story():
    ends = read_probes().groupby(["weights", "dataset", "depth"])[["auc_lo", "auc_hi"]].mean()
    low, high = ends.loc["imagenet"]["auc_lo"], ends.loc["random"]["auc_hi"]
    apart = {name: (low[name] > high[name])[1:] for name in ("elpv", "flowers")}
    first = {name: int(rows.index[~rows].max()) for name, rows in apart.items()}
    assert first == {"elpv": 5, "flowers": 2}, "the last depths that touch: stages 4 and 1"


def test_how_the_curves_run_with_depth():
    auc = read_probes().groupby(["weights", "dataset", "part"])["auc"].mean()
    for name in SETS:
        trained = auc["imagenet"][name][PARTS]
        assert trained.idxmax() in ("stage6", "stage7")
        assert trained["stage7"] < trained["stage6"] + 0.005, "the last one adds nothing"
        untrained, calibrated = auc["random"][name], auc["random_calibrated"][name]
        assert calibrated["stage7"] < untrained["stage7"] - 0.03, "late ones get worse"
        assert calibrated[["stem", "stage1"]].tolist() == pytest.approx(
            untrained[["stem", "stage1"]].tolist(), abs=0.025
        )


def test_full_fine_tuning_with_few_images_moves_the_last_stages_alone():
    """Also in the control, where one rate holds for all stages."""
    by_part = read_cka().groupby(["strategy", "part"])["cka"]
    least, most = by_part.min(), by_part.max()
    assert (least["partial_finetune"][PARTS[:6]] == 1).all()  # frozen
    for name in ("full_finetune", "full_finetune+own_rates"):
        assert least[name][PARTS[:6]].min() > 0.98
        assert most[name]["stage7"] < 0.9
    assert least["random"]["stem"] > 0.9
    assert most["random"]["stage2"] < 0.3
