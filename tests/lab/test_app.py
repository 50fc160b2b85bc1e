"""What the lab's server answers, and to whom: a page of widgets, and no code from outside."""

import asyncio
import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlparse
from urllib.request import url2pathname

import nbformat
import pytest
import requests
import websocket
from jupyter_client.session import Session
from jupyter_server._tz import utcnow
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from voila.voila_kernel_manager import voila_kernel_manager_factory

from helpers.__main__ import main
from helpers.lab import app
from tests.browser.servers import ROOT, free_port, running

SERVE = """
import pathlib, sys
from helpers.lab import app
app.serve(sys.argv[2:], pathlib.Path(sys.argv[1]))
"""
CELL = """
import ipywidgets
button = ipywidgets.Button(description="press")
button
"""

ASIDE = "print('an' + 'aside'); open('aside.txt', 'w').close()"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where a small notebook is served by the lab's server, with its token."""
    folder = tmp_path_factory.mktemp("served")
    cells = [nbformat.v4.new_code_cell(CELL), nbformat.v4.new_code_cell(ASIDE)]
    cells[1].metadata.tags = ["notebook-only"]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(notebook, folder / "small.ipynb")
    notebook.cells = [nbformat.v4.new_code_cell("print('the interview' + ' room')")]
    nbformat.write(notebook, folder / app.ROOM)
    (folder / "secret.png").write_bytes(b"picture")
    arguments = ["-c", SERVE, str(folder / "small.ipynb"), "--no-browser", f"--port={free_port()}"]
    with running(arguments, folder) as url:
        yield url


@pytest.fixture(scope="module")
def visitor(address):
    """Someone with the token, and the page that was shown to them."""
    session = requests.Session()
    session.page = session.get(address, timeout=60)
    return session


def test_the_page_is_shown_to_who_has_the_token(visitor):
    assert visitor.page.status_code == 200
    assert "press" in visitor.page.text
    assert "import ipywidgets" not in visitor.page.text, "the source stays out of the page"


def test_what_is_only_for_the_notebook_is_neither_run_nor_shown(visitor, tmp_path_factory):
    assert "anaside" not in visitor.page.text
    assert not list(tmp_path_factory.getbasetemp().rglob("aside.txt"))


def test_the_interview_room_is_a_second_page_under_the_same_rules(visitor):
    answer = visitor.get(visitor.page.url.split("?")[0] + "room", timeout=60)
    assert answer.status_code == 200
    assert "the interview room" in answer.text
    assert "<title>small" in visitor.page.text
    assert "<title>small" not in answer.text
    assert answer.headers["Content-Security-Policy"] == app.POLICY
    assert 'href="/room"' in visitor.page.text


@pytest.mark.parametrize("query", ["", "?token=wrong", "room", "room?token=wrong"])
def test_nobody_else_gets_a_page_or_a_kernel(address, query):
    base = address.split("?")[0]
    answer = requests.get(base + query, allow_redirects=False, timeout=10)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("small.ipynb", 403), ("voila/files/small.ipynb", 403), ("voila/files/secret.png", 403),
        ("secret.png", 403), ("voila/tree", 403), ("voila/api/contents", 403),
        ("api/contents", 403), ("api/kernels", 403), ("api/sessions", 403), ("api/terminals", 403),
        ("voila/labextensions/", 404), ("voila/static/", 404),
    ],
)  # fmt: skip
def test_files_lists_and_other_interfaces_are_refused_even_with_the_token(visitor, path, status):
    assert visitor.get(visitor.page.url.split("?")[0] + path, timeout=10).status_code == status


def test_another_host_name_is_refused(address):
    """A page elsewhere may point its own name at this machine; the token would not stop it."""
    answer = requests.get(address, headers={"Host": "elsewhere.example"}, timeout=10)
    assert answer.status_code == 403


def test_the_browser_is_told_to_ask_no_other_server(visitor):
    policy = visitor.page.headers["Content-Security-Policy"]
    assert policy == app.POLICY
    assert not re.search(r"https?:", policy)
    assert "frame-ancestors 'none'" in policy
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//[^"']+""", visitor.page.text)


def kernel_of(visitor) -> str:
    return re.search(r'"kernelId": "([\w-]+)"', visitor.page.text)[1]


def connect(visitor, origin: str, cookies: dict) -> websocket.WebSocket:
    host = visitor.page.url.split("/")[2]
    return websocket.create_connection(
        f"ws://{host}/api/kernels/{kernel_of(visitor)}/channels", timeout=10, origin=origin,
        cookie="; ".join(f"{k}={v}" for k, v in cookies.items()),
    )  # fmt: skip


def test_a_kernel_answers_no_other_origin_and_nobody_without_the_cookie(visitor):
    here = visitor.page.url.split("/?")[0]
    cookies = visitor.cookies.get_dict()
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        connect(visitor, "http://elsewhere.example", cookies)
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        connect(visitor, here, {})


def message(kind: str, content: dict) -> str:
    asked = Session().msg(kind, content) | {"channel": "shell", "buffers": []}
    return json.dumps(asked, default=str)


def test_a_page_cannot_run_code(visitor, tmp_path):
    """The kernel is asked to write a file, then who it is: it answers only the second."""
    mark = tmp_path / "written"
    socket = connect(visitor, visitor.page.url.split("/?")[0], visitor.cookies.get_dict())
    code = f"open({str(mark)!r}, 'w').close()"
    socket.send(message("execute_request", {"code": code, "silent": False}))
    socket.send(message("kernel_info_request", {}))
    answers = []
    while "kernel_info_reply" not in answers:
        answers.append(json.loads(socket.recv())["header"]["msg_type"])
    socket.close()
    assert "execute_reply" not in answers
    assert not mark.exists()


def test_leaving_the_page_ends_its_kernel_but_only_with_the_page_s_cookie(address):
    """What voila's page sends when it is left; without an end to it each visit would cost 1 GB."""
    leaver = requests.Session()
    leaver.page = leaver.get(address, timeout=60)
    base, kernel = address.split("?")[0], kernel_of(leaver)
    for said, answered, then in (({}, 403, 200), ({"_xsrf": leaver.cookies["_xsrf"]}, 204, 404)):
        left = leaver.post(f"{base}voila/api/shutdown/{kernel}", data=said, timeout=10)
        assert left.status_code == answered
        assert leaver.get(f"{base}api/kernels/{kernel}", timeout=10).status_code == then


def test_the_token_stands_in_a_file_and_not_in_the_browser_s_command_line(monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr(app.webbrowser, "open", opened.append)
    monkeypatch.setattr(app.threading, "Thread", lambda *, target, args, daemon: SimpleNamespace(
        start=lambda: target(*args)))  # fmt: skip
    address = "http://127.0.0.1:8866/?token=secret"
    app.LabServer.launch_browser(SimpleNamespace(connection_dir=str(tmp_path), display_url=address))
    (url,) = opened
    assert "secret" not in url
    assert f"url={address}" in Path(url2pathname(urlparse(url).path)).read_text()


@pytest.mark.parametrize(
    ("minutes", "pages", "ended"), [(40, 0, True), (40, 1, False), (10, 0, False)]
)
def test_a_kernel_ends_once_no_page_has_it_and_it_says_nothing(minutes, pages, ended, monkeypatch):
    manager = voila_kernel_manager_factory(AsyncMappingKernelManager, False, 0)(
        config=app.settings()
    )
    kernel = SimpleNamespace(
        kernel_name="python3", kernel_spec=SimpleNamespace(metadata={}), execution_state="idle",
        last_activity=utcnow() - timedelta(minutes=minutes),
    )  # fmt: skip
    gone = []
    monkeypatch.setattr(manager, "_kernels", {"a": kernel})
    monkeypatch.setattr(manager, "_kernel_connections", {"a": pages})
    monkeypatch.setattr(manager, "shutdown_kernel", gone.append)
    asyncio.run(manager.cull_kernels())
    assert gone == (["a"] if ended else [])
    # A race runs in a thread while its kernel is idle; what it draws is a sign of life.
    assert manager.track_message_type("comm_msg")
    assert 0 < manager.cull_interval <= 60


@pytest.mark.parametrize(("before", "after"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_leave_the_processor_to_others(before, after, monkeypatch):
    """It is set for the kernel, which inherits it, unless the user has chosen otherwise."""
    monkeypatch.setenv("OMP_WAIT_POLICY", before or "")
    monkeypatch.setenv("JUPYTER_PATH", "")
    if before is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(app.LabServer, "launch_instance", lambda *_, **__: None)
    app.serve([])
    assert os.environ["OMP_WAIT_POLICY"] == after


def test_the_command_hands_voila_what_follows_it(monkeypatch):
    given = []
    monkeypatch.setattr(app, "serve", given.extend)
    assert main(["app", "--no-browser", "--port=8900"]) == 0
    assert given == ["--no-browser", "--port=8900"]


def test_nothing_but_the_command_imports_voila():
    code = "import sys, helpers.__main__, helpers.lab; sys.exit('voila' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_server_itself_does_not_load_torch():
    """The page's kernel does; twice would be a gigabyte more on a laptop."""
    code = "import sys, helpers.lab.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
