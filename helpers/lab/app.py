"""Serve the strategy lab as a page of its own: ``make app``, or ``python -m helpers app``.

Voila runs the one notebook and shows what it draws; at /room the interview room, likewise. A page
can move widgets and nothing else: it cannot send code, list files or read them, and it may ask no
other server for anything. The server itself loads no torch: ``python -m helpers.lab.app`` is the
light way in.
"""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from traitlets.config import Config
from voila.app import Voila
from voila.tornado.handler import TornadoVoilaHandler

from helpers import files

NOTEBOOK = files.resource("strategy_lab.ipynb", "notebooks")

ROOM = "08_interview_room.ipynb"  # beside the notebook that is served

TEMPLATES = files.resource("voila", "docs")

# The widgets, and no other extension of JupyterLab that happens to be installed.
WIDGETS = ["@voila-dashboards/widgets-manager8", "@jupyter-widgets/jupyterlab-manager"]

# What the browser itself refuses: scripts, pictures and connections from anywhere but here.
# JupyterLab's widget code is compiled in the page, hence the two "unsafe".
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "connect-src 'self' ws://127.0.0.1:* ws://localhost:*; "
    "form-action 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'none'"
)


def settings() -> Config:
    """Return voila's settings for the lab: who may ask, and what is answered."""
    config = Config()
    config.Voila.ip = "127.0.0.1"
    config.Voila.auto_token = True
    # No remote access: a request that names another host is refused, also one that another page
    # has led here by pointing its own name at this machine.
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
    config.Voila.tornado_settings = {"allow_remote_access": False, "headers": headers}
    # A kernel holds about 1 GB. The page ends its own when it is left, but a browser that dies does
    # not. A kernel with a page is never ended; neither is one that races without, because each step
    # sends the page something, which counts as a sign of life.
    config.MappingKernelManager.cull_idle_timeout = 30 * 60  # seconds
    config.MappingKernelManager.cull_interval = 60
    config.VoilaConfiguration.template = "strategy_lab"
    config.VoilaConfiguration.allow_template_override = "NO"
    config.VoilaConfiguration.allow_theme_override = "NO"
    config.VoilaConfiguration.file_allowlist = []
    config.VoilaConfiguration.extension_allowlist = WIDGETS
    # The lab alone: what surrounds it in the notebook is neither run nor shown.
    config.TagRemovePreprocessor.enabled = True
    config.TagRemovePreprocessor.remove_cell_tags = {"notebook-only"}
    return config


class LabPage(TornadoVoilaHandler):
    """The page with the lab; it may end its kernel when somebody leaves it."""

    async def prepare(self) -> None:
        """Give the page the cookie that voila's farewell must show, or each visit left a kernel."""
        await super().prepare()
        self.xsrf_token  # noqa: B018  reading it sets the cookie


class LabServer(Voila):
    """Voila that opens the browser with the token, without which it answers nobody."""

    def init_handlers(self) -> list:
        """Return voila's handlers, with our page in the place of its own, and the room's page."""
        handlers = [
            (path, LabPage if handler is TornadoVoilaHandler else handler, *options)
            for path, handler, *options in super().init_handlers()
        ]
        path, page, options = handlers[-1]  # voila's last: whatever else is asked for
        room = (path.replace("(.*)", "room"), page, options | {"notebook_path": ROOM})
        return [*handlers[:-1], room, handlers[-1]]

    def launch_browser(self) -> None:
        """Open the lab in the default browser, by a file that leads there.

        Everybody on the machine can read a command line, so the token must not stand in it. The
        file lies in a folder that only this user may enter and that goes with the server.
        """
        page = Path(self.connection_dir, "open.html")
        page.write_text(f'<meta http-equiv="refresh" content="0;url={self.display_url}">')
        threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()


def serve(arguments: Sequence[str], notebook: Path = NOTEBOOK) -> None:
    """Serve the lab until Ctrl-C.

    Parameters
    ----------
    arguments : voila's, e.g. ``["--no-browser", "--port=8900"]``. notebook : what is served.
    """
    paths = [str(TEMPLATES), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    os.environ["JUPYTER_PATH"] = os.pathsep.join(paths)
    # Threads that wait for each other spin by default, and where something else wants a core, as on
    # stage, they spin while the one they wait for is kept from running. So let them sleep.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    LabServer.launch_instance([str(notebook), *arguments], config=settings())


if __name__ == "__main__":
    serve(sys.argv[1:])
