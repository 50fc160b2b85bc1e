"""The guard of the browser tests sees what it is there for."""

from urllib.parse import urlsplit

import pytest

from tests.browser.guard import Guard, watched

HERE = "http://127.0.0.1"
PAGES = {
    "/calm": "<p>calm</p><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>",
    "/elsewhere": "<link rel=stylesheet href='http://elsewhere.example/style.css'>",
    "/socket": "<script>new WebSocket('ws://elsewhere.example/')</script>",
    "/console": "<script>console.error('something broke')</script>",
    "/uncaught": "<script>throw new Error('nobody caught me')</script>",
    "/missing": "<img src='/no-such-picture'>",
    "/warning": "<script>console.warn('only a warning')</script>",
}


@pytest.fixture
def pages(new_context):
    """Contexts to which this machine answers with those pages, without a server."""

    def answer(route):
        body = PAGES.get(urlsplit(route.request.url).path)
        route.fulfill(status=200 if body else 404, body=body or "", content_type="text/html")

    def make():
        context = new_context()
        context.route(f"{HERE}/**", answer)
        return context

    return make


@pytest.fixture
def faults(pages):
    """Open a page and return what its guard saw."""

    def look(path: str) -> list[str]:
        context = pages()
        guard = Guard(context)
        page = context.new_page()
        page.goto(HERE + path)
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


def test_a_watched_page_with_a_fault_fails_its_test(pages):
    with watched(pages()) as page:
        page.goto(HERE + "/calm")
    with pytest.raises(AssertionError, match="something broke"), watched(pages()) as page:
        page.goto(HERE + "/console")
