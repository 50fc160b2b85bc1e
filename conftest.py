"""How the notebooks are compared when pytest --nbval runs them again (make nbval)."""


def pytest_collectstart(collector):
    # Progress bars and warnings go to stderr; what a notebook claims goes to stdout. A figure's
    # HTML is its picture once more, with the text that JupyterLab reads out, and is not stored.
    if collector.path.suffix == ".ipynb":
        collector.skip_compare = (*collector.skip_compare, "stderr", "text/html")
