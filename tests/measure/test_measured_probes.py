import pandas as pd
import pytest

from helpers import datasets
from helpers.evidence import probes as evidence_probes
from helpers.evidence.probes import CKA_COLUMNS, PROBE_COLUMNS, read_cka, read_probes
from measure import probes as runner
from measure.probes import N_TRAIN, main, measure_probes


@pytest.fixture
def in_a_folder(tmp_path, private_cache, monkeypatch):
    """Let the command write into an empty folder, measuring nothing but small stand-ins."""
    monkeypatch.setattr(evidence_probes, "PROBES", tmp_path / "probes.csv")
    monkeypatch.setattr(evidence_probes, "CKA", tmp_path / "cka.csv")
    monkeypatch.setattr(datasets, "names", lambda: ["elpv"])
    return tmp_path


def row(columns, **values) -> pd.DataFrame:
    return pd.DataFrame([dict.fromkeys(columns, 0) | values])


def test_started_again_it_goes_on_where_it_was_killed(in_a_folder, monkeypatch):
    """Killed in the middle of the fourth measurement; the next start repeats nothing."""
    done = []

    def measured(columns):
        def one(**job):
            if len(done) == 3 and "killed" not in done:
                done.append("killed")
                raise KeyboardInterrupt
            done.append(tuple(job.values()))
            return row(columns, **{"dataset" if k == "name" else k: v for k, v in job.items()})

        return one

    monkeypatch.setattr(runner, "measure_probes", measured(PROBE_COLUMNS))
    monkeypatch.setattr(runner, "measure_cka", measured(CKA_COLUMNS))
    with pytest.raises(KeyboardInterrupt):
        main([])
    assert main([]) == 0
    assert len(done) - 1 == len(set(done)) - 1 == 6 + 9
    assert main([]) == 0
    assert len(done) - 1 == 15, "nothing was left to do"


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
    again = measure_probes("elpv", "imagenet", 1)
    assert again["part"].tolist() == stored["part"].tolist()
    assert (again["auc"].to_numpy() - stored["auc"].to_numpy()) == pytest.approx(0, abs=0.01)
