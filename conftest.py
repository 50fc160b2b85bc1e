"""How the notebooks are compared when pytest --nbval runs them again (make nbval)."""


def pytest_collectstart(collector):
    # Progress bars and warnings go to stderr; what a notebook claims goes to stdout.
    if collector.path.suffix == ".ipynb":
        collector.skip_compare = (*collector.skip_compare, "stderr")
