"""The guard of the browser tests sees what it is there for."""

import http.server
import threading

import pytest

from tests.browser.guard import Guard, watched

PAGES = {
    "/calm": "<p>calm</p><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>",
    "/elsewhere": "<link rel=stylesheet href='http://elsewhere.example/style.css'>",
    "/socket": "<script>new WebSocket('ws://elsewhere.example/')</script>",
    "/console": "<script>console.error('something broke')</script>",
    "/uncaught": "<script>throw new Error('nobody caught me')</script>",
    "/missing": "<img src='/no-such-picture'>",
    "/warning": "<script>console.warn('only a warning')</script>",
}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the pages above."""

    def do_GET(self) -> None:
        body = PAGES.get(self.path, "").encode()
        self.send_response(200 if body or self.path == "/favicon.ico" else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site():
    """The address of a server with those pages."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def faults(new_context, site):
    """Open a page and return what its guard saw."""

    def look(path: str) -> list[str]:
        context = new_context()
        guard = Guard(context)
        page = context.new_page()
        page.goto(site + path)
        page.wait_for_timeout(200)
        return guard.faults

    return look


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/elsewhere", "asked another machine: http://elsewhere.example/style.css"),
        ("/socket", "asked another machine: ws://elsewhere.example/"),
        ("/console", "console: something broke"),
        ("/uncaught", "nobody caught me"),
        ("/missing", "404"),
    ],
)
def test_it_sees_requests_to_elsewhere_and_errors(faults, path, said):
    assert any(said in fault for fault in faults(path))


@pytest.mark.parametrize("path", ["/calm", "/warning"])
def test_it_does_not_cry_wolf(faults, path):
    assert faults(path) == []


def test_a_watched_page_with_a_fault_fails_its_test(new_context, site):
    with watched(new_context()) as page:
        page.goto(site + "/calm")
    with (
        pytest.raises(AssertionError, match="something broke"),
        watched(new_context()) as page,
    ):
        page.goto(site + "/console")
