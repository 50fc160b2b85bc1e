"""How the notebooks are compared when pytest --nbval runs them again (make nbval)."""

import os
import shutil
import tempfile


def pytest_configure(config):
    # No test, and no notebook run as one, sees or changes what somebody has learned here.
    folder = tempfile.mkdtemp(prefix="course-progress-")
    os.environ["COURSE_PROGRESS"] = os.path.join(folder, "progress.json")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collectstart(collector):
    # Progress bars and warnings go to stderr; what a notebook claims goes to stdout. A figure's
    # HTML is its picture once more, with the text that JupyterLab reads out, and is not stored.
    if collector.path.suffix == ".ipynb":
        collector.skip_compare = (*collector.skip_compare, "stderr", "text/html")
