"""The measured probes and CKA: their cells, and their stored rows."""

import pytest

from helpers.evidence.probes import read_cka, read_probes
from measure import cka, probes, runner
from measure.probes import N_TRAIN, Cell


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
    cka = read_cka()
    assert (cka.groupby(["strategy", "seed"]).size() == 8).all()
    frozen = cka[(cka["strategy"] == "partial_finetune") & (cka["depth"] <= 6)]
    assert len(frozen) == 18
    assert (frozen["cka"] == 1).all()


def test_one_measured_cell_comes_out_again():
    """The cheapest cell, from the images on: the same AUC at every part, to two decimals."""
    table = read_probes()
    stored = table.query("dataset == 'elpv' and weights == 'imagenet' and seed == 1")
    again = probes.measure(Cell("elpv", "imagenet", 1))
    assert [row["part"] for row in again] == stored["part"].tolist()
    assert [row["auc"] for row in again] == pytest.approx(stored["auc"].tolist(), abs=0.01)
