"""What the tests of the measured tables share."""

from concurrent.futures import Executor, Future

import pytest

from measure import runner


class HereAndNow(Executor):
    """Stands in for a pool of processes: runs a job where it is handed in."""

    def __init__(self, *_arguments, **_options) -> None:
        pass

    def submit(self, function, cell):
        job = Future()
        try:
            job.set_result(function(cell))
        except Exception as error:
            job.set_exception(error)
        return job


@pytest.fixture
def one_process(monkeypatch):
    """Measure in this process, where what was patched is seen."""
    monkeypatch.setattr(runner, "ProcessPoolExecutor", HereAndNow)
