import pandas as pd
import pytest

from helpers.inspection import measure


@pytest.fixture
def in_a_folder(tmp_path, private_cache, monkeypatch):
    """Let the command write into an empty folder, measuring nothing but small stand-ins."""
    monkeypatch.setattr(measure, "PROBES", tmp_path / "probes.csv")
    monkeypatch.setattr(measure, "CKA", tmp_path / "cka.csv")
    monkeypatch.setattr(measure.datasets, "names", lambda: ["elpv"])
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

    monkeypatch.setattr(measure, "measure_probes", measured(measure.PROBE_COLUMNS))
    monkeypatch.setattr(measure, "measure_cka", measured(measure.CKA_COLUMNS))
    with pytest.raises(KeyboardInterrupt):
        measure.main([])
    assert measure.main([]) == 0
    assert len(done) - 1 == len(set(done)) - 1 == 6 + 9
    assert measure.main([]) == 0
    assert len(done) - 1 == 15, "nothing was left to do"


def test_what_was_measured_holds_together():
    """The committed tables: whole curves, intervals around values, frozen parts unchanged."""
    probes = measure.read_probes()
    assert not probes.duplicated(["dataset", "weights", "seed", "part"]).any()
    assert (probes.groupby(["dataset", "weights", "seed"]).size() == 9).all()
    assert probes["auc"].between(probes["auc_lo"], probes["auc_hi"]).all()
    assert set(probes["n_train"]) == {measure.N_TRAIN}
    cka = measure.read_cka()
    assert (cka.groupby(["strategy", "seed"]).size() == 8).all()
    frozen = cka[(cka["strategy"] == "partial_finetune") & (cka["depth"] <= 6)]
    assert len(frozen) == 18
    assert (frozen["cka"] == 1).all()


def test_one_measured_cell_comes_out_again():
    """The cheapest cell, from the images on: the same AUC at every part, to two decimals."""
    table = measure.read_probes()
    stored = table.query("dataset == 'elpv' and weights == 'imagenet' and seed == 1")
    again = measure.measure_probes("elpv", "imagenet", 1)
    assert again["part"].tolist() == stored["part"].tolist()
    assert (again["auc"].to_numpy() - stored["auc"].to_numpy()) == pytest.approx(0, abs=0.01)
