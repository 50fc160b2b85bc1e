"""The page that needs no install, in a real Chromium: double-clicked and from a web server."""

from __future__ import annotations

import dataclasses
import functools
import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import try_page
from helpers.datasets.decode import decode_files
from helpers.errors import CourseError
from helpers.lab import explain, races
from helpers.lab.engine import Lab
from helpers.networks import backbones
from helpers.practice import cards, progress
from helpers.practice.schedule import Schedule
from helpers.training import metrics

PATIENCE = 300_000  # milliseconds; seconds on two idle cores
RESULT = """({...lastResult, features: lastResult.features.map((row) => [...row])})"""
KEY = "transfer-learning-course-progress"


class Quiet(SimpleHTTPRequestHandler):
    """A plain web server that says nothing."""

    def log_message(self, *_) -> None:
        pass


@pytest.fixture(scope="module")
def address(try_folder) -> Iterator[str]:
    """The address of the page on a plain web server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=try_folder))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def sample(try_folder, browser: Browser) -> Iterator[dict]:
    """What came out of the solar cells in a page that was double-clicked, and what it asked for."""
    context, asked, faults = browser.new_context(), [], []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{(try_folder / 'index.html').as_uri()}#try=sample")
    expect(page.locator("#found")).to_be_visible(timeout=PATIENCE)
    seen = {"asked": [*asked], "faults": [*faults]}  # axe-core asks for the style sheet once more
    yield page.evaluate(RESULT) | seen | {
        "violations": violations(page),
        "text": page.locator("#try").inner_text(), "pictures": page.locator("#result img").count(),
    }  # fmt: skip
    context.close()


def violations(page: Page) -> list:
    """Return what axe-core calls serious or critical."""
    found = Axe().run(page).response
    assert len(found["passes"]) > 15  # it has looked
    return [(v["id"], [node["html"] for node in v["nodes"]]) for v in found["violations"]
            if v["impact"] in ("serious", "critical")]  # fmt: skip


def said(page: Page) -> Locator:
    return page.locator("#say")


def draw(folder: Path, n: int, *, side: int = 60, first: int = 0, hue: int = 0) -> list[Path]:
    """Save noise images of odd shapes; the greater `hue`, the brighter their red."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, made = np.random.default_rng(first + 100 * hue), []
    for k in range(n):
        pixels = rng.integers(0, 120, (side + 3 * (k % 5), side + 7 * (k % 3), 3), dtype=np.uint8)
        pixels[..., 0] += np.uint8(rng.integers(0, 60) + 30 * hue)
        made.append(folder / f"{hue}-{first + k}.{'jpg' if k % 4 == 3 else 'png'}")
        Image.fromarray(pixels).save(made[-1], quality=95)
    return made


def choose(page: Page, number: int, files: list[Path]) -> None:
    page.get_by_label(f"Images of class {number}").set_input_files(files)


def run(page: Page) -> dict:
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#found")).to_be_visible(timeout=PATIENCE)
    return page.evaluate(RESULT)


def features(images: np.ndarray) -> np.ndarray:
    """Return the course's features of uint8 ``(N, H, W, 3)``."""
    model = backbones.load().eval()
    with torch.inference_mode():
        return model.pool(
            model(torch.from_numpy(images).permute(0, 3, 1, 2), stop="stage7")
        ).numpy()


def test_a_double_clicked_page_asks_nobody_for_anything(sample):
    assert not sample["faults"]
    assert all(url.startswith(("file:", "blob:", "data:")) for url in sample["asked"])


def test_features_of_the_solar_cells_are_those_of_the_course(sample):
    _, train, test = try_page.sample_splits()
    images = np.concatenate([train.images, test.images]).repeat(3, axis=3)
    some = np.arange(0, len(images), 4)
    np.testing.assert_allclose(
        np.array(sample["features"])[some], features(images[some]), atol=1e-3
    )


def test_the_heads_score_as_scikit_learns_do(sample):
    _, train, test = try_page.sample_splits()
    known, n = np.array(sample["features"]), len(train)
    small = [
        part.images[..., 0].reshape(-1, 32, 4, 32, 4).mean((2, 4)).reshape(len(part), -1)
        for part in (train, test)
    ]
    for name, x, x_test in (("pretrained", known[:n], known[n:]), ("pixels", *small)):
        head = make_pipeline(
            StandardScaler(),
            LogisticRegression(C=0.01, class_weight="balanced", max_iter=5000, tol=1e-8),
        )
        p = head.fit(x, train.labels).predict_proba(x_test)
        assert sample["found"][name]["score"] == pytest.approx(
            metrics.auc(test.labels, p), abs=0.005
        )
        np.testing.assert_allclose(sample["answers"][name], p, atol=2e-3)


def test_intervals_are_those_of_the_course(sample):
    labels = np.array(sample["truth"])
    answers = {name: np.array(p) for name, p in sample["answers"].items()}
    for name, p in answers.items():
        score, found = metrics.score(labels, p), sample["found"][name]
        assert found["score"] == pytest.approx(score.auc, abs=1e-9)
        assert (found["lo"], found["hi"]) == pytest.approx((score.auc_lo, score.auc_hi), abs=1e-9)
    for name, found in sample["ahead"].items():
        gap = metrics.auc_difference(labels, answers[name], answers["pretrained"])
        assert (found["gap"], found["lo"], found["hi"]) == pytest.approx(gap, abs=1e-9)


def test_the_result_is_told_in_words_and_can_be_read_by_all(sample):
    text = sample["text"]
    for part in ("On 120 held-out images", "95 % interval", "raw pixels", "random weights",
                 "CC BY-NC-SA 4.0", "Held out are cells of other blocks"):  # fmt: skip
        assert part in text
    assert sample["pictures"] == min(8, sample["wrongCount"]) > 0
    assert [point["n"] for point in sample["curves"]["pretrained"]] == [2, 4, 8, 16, 32, 60]
    assert sample["losses"][-1][1] < sample["losses"][0][1]
    assert not sample["violations"]


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> dict[str, list[Path]]:
    """Images of two classes, and files that cannot be used."""
    folder = tmp_path_factory.mktemp("own")
    good = {f"class{k}": draw(folder / f"{k}", 10, hue=k) for k in range(2)}
    bad = folder / "bad"
    bad.mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 60000, (40, 40)).astype(np.uint16)).save(bad / "deep.png")
    Image.fromarray(rng.integers(0, 255, (40, 40), dtype=np.uint8)).save(bad / "scan.tif")
    Image.fromarray(rng.integers(0, 255, (40, 40, 4), dtype=np.uint8)).save(bad / "glass.png")
    whole = good["class0"][0].read_bytes()
    (bad / "cut.png").write_bytes(whole[: len(whole) // 2])
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 255
    (bad / "flipped.png").write_bytes(broken)
    cut = good["class0"][3].read_bytes()
    (bad / "cut.jpg").write_bytes(cut[: len(cut) // 2])
    (bad / "notes.txt").write_text("no image")
    (bad / "scan.dcm").write_bytes(bytes(128) + b"DICM" + bytes(20))
    film = folder / "film.jpg"  # as a telephone writes it: a photograph, then a film
    film.write_bytes(good["class0"][3].read_bytes() + bytes(200_000))
    huge = Image.fromarray(rng.integers(0, 255, (50, 60, 3), dtype=np.uint8))
    huge.resize((4800, 4000)).save(folder / "huge.jpg", quality=80)
    return good | {"bad": sorted(bad.iterdir()), "huge": [folder / "huge.jpg"], "film": [film]}


def test_own_images_with_damaged_deep_and_huge_ones_among_them(page, address, own):
    page.goto(address)
    choose(page, 1, [*own["class0"], *own["bad"], *own["film"]])
    choose(page, 2, [*own["class1"], *own["huge"]])
    found = run(page)
    for file, reason in (
        ("deep.png", "more than 8 bits"), ("scan.tif", "TIFF"), ("scan.dcm", "DICOM"),
        ("glass.png", "transparent"), ("cut.png", "damaged"), ("cut.jpg", "damaged"),
        ("flipped.png", "damaged"), ("notes.txt", "is no PNG"),
    ):  # fmt: skip
        assert [text for text in found["problems"] if text.startswith(file) and reason in text]
    assert len(found["problems"]) == len(own["bad"])
    assert found["shrunk"] == 1
    assert "1 large image was shrunk" in page.locator("#result").inner_text()
    files = [*own["class0"], *own["film"], *own["class1"]]
    images, _ = decode_files(files, 128, 3)
    # Two decoders of JPEG may round a pixel differently.
    lossless = [k for k, file in enumerate(files) if file.suffix == ".png"]
    theirs, ours = np.array(found["features"])[:-1], features(images)
    np.testing.assert_allclose(theirs[lossless], ours[lossless], atol=1e-3)
    np.testing.assert_allclose(theirs, ours, atol=5e-2)
    large, _ = decode_files(own["huge"], 128, 3)
    wanted = features(large)[0]
    assert np.linalg.norm(found["features"][-1] - wanted) < 0.1 * np.linalg.norm(wanted)
    page.get_by_role("button", name="Clear").click()


def test_three_classes_have_an_accuracy_with_wilsons_interval(page, address, tmp_path):
    page.goto(address)
    page.get_by_role("button", name="Add a class").click()
    for k in range(3):
        choose(page, k + 1, draw(tmp_path / str(k), 6, hue=k))
    found = run(page)
    right = np.mean(np.argmax(found["answers"]["pretrained"], 1) == found["truth"])
    score = found["found"]["pretrained"]
    assert score["score"] == pytest.approx(right)
    assert (score["lo"], score["hi"]) == pytest.approx(metrics.wilson(right, len(found["truth"])))
    text = page.locator("#result").inner_text()
    assert "names the right one of 3 classes" in text
    assert "Fewer than 5 held-out images" in text


def test_what_cannot_be_learned_from_is_said_in_a_sentence(page, address, tmp_path):
    page.goto(address)
    start = page.get_by_role("button", name="Start")
    start.click()
    expect(said(page)).to_contain_text("There are no images yet")
    choose(page, 1, draw(tmp_path / "0", 5))
    start.click()
    expect(said(page)).to_contain_text("All images are of one class (class 1)")
    (tmp_path / "a.txt").write_text("no image")
    choose(page, 2, [tmp_path / "a.txt"])
    start.click()
    expect(said(page)).to_contain_text("All images are of one class", timeout=PATIENCE)
    expect(page.locator("#result")).to_contain_text("a.txt is no PNG")
    choose(page, 2, draw(tmp_path / "1", 3, hue=1))
    start.click()
    expect(said(page)).to_contain_text("class 2 has 3 images", timeout=PATIENCE)
    page.get_by_label("Name of class 2").fill("class 1")
    start.click()
    expect(said(page)).to_contain_text("Two classes have the same name")


def test_a_folder_brings_its_classes(page, address, tmp_path):
    for k, name in enumerate(("cracked", "sound")):
        draw(tmp_path / "cells" / name, 4, hue=k)
    (tmp_path / "cells" / "sound" / ".DS_Store").write_text("not an image")
    page.goto(address)
    page.get_by_label("Choose a folder").set_input_files(tmp_path / "cells")
    expect(page.locator("#found")).to_be_visible(timeout=PATIENCE)
    assert page.evaluate("lastResult.names") == ["cracked", "sound"]
    assert not page.evaluate("lastResult.problems")


def drop(page: Page, files: list[Path], where: str) -> None:
    """Drop files or folders on an element, as a hand does with a mouse."""
    box = page.locator(where).bounding_box()
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {
            "type": kind, "x": box["x"] + 9, "y": box["y"] + 9, "data": data})  # fmt: skip


@pytest.mark.parametrize("served", [False, True], ids=["double-clicked", "served"])
def test_files_and_folders_can_be_dropped(page, address, try_folder, tmp_path, served):
    """Chromium lets a double-clicked page see the entries of what is dropped, but not read them."""
    for k, name in enumerate(("cracked", "sound")):
        draw(tmp_path / "cells" / name, 4, hue=k)
    page.goto(address if served else (try_folder / "index.html").as_uri())
    drop(page, [tmp_path / "cells"], "#drop")
    expect(said(page)).to_have_text("Loading the network.")
    page.get_by_role("button", name="Stop").click()
    assert page.evaluate("classes.map((one) => [one.name.value, one.items.length])") == [
        ["cracked", 4], ["sound", 4]]  # fmt: skip
    drop(page, sorted((tmp_path / "cells" / "sound").iterdir()), ".class >> nth=0")
    expect(page.locator(".class").first).to_contain_text("8 images")


COUNT = """window.jobs = []; const post = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (job) {
  jobs.push(job.items.length); post.call(this, job); }"""


@pytest.mark.parametrize("late", ["network.js", "sample.js"])
def test_what_was_stopped_while_it_was_loading_does_not_come_back(page, address, tmp_path, late):
    """Else two jobs share one thread, and the solar cells' scores stand below own images."""
    held = []
    page.add_init_script(COUNT)
    page.route(f"**/{late}", lambda route: held.append(route))
    page.goto(address)
    for k in range(2):
        choose(page, k + 1, draw(tmp_path / str(k), 4, hue=k))
    with page.expect_request(f"**/{late}"):
        page.get_by_role("button", name="Take the solar cells").click()
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Start").click()
    for route in held:
        route.continue_()
    expect(page.locator("#found")).to_be_visible(timeout=PATIENCE)
    assert page.evaluate("jobs") == [8]


def test_stop_ends_the_work_and_a_keyboard_is_enough(page, address):
    page.goto(address)
    page.get_by_role("button", name="Take the solar cells").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#progress-text")).to_contain_text("of 240", timeout=PATIENCE)
    page.keyboard.press("Tab")  # the button that was pressed is disabled, Stop stands beside it
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    page.keyboard.press("Enter")
    expect(said(page)).to_have_text("Stopped. Nothing is kept.")
    assert page.evaluate("worker") is None
    expect(page.get_by_role("button", name="Take the solar cells")).to_be_focused()
    page.locator("#tab-try").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-race")).to_be_focused()
    expect(page.locator("#race")).to_be_visible()


def test_a_policy_lets_no_request_out(browser, address):
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    other = address.replace("127.0.0.1", "localhost")
    refused = "fetch({}).then(() => 'got out', () => 'refused')"
    assert page.evaluate(refused.format(repr(other))) == "refused"
    assert page.evaluate(refused.format(repr(address))) == "refused"
    context.close()


def test_a_stored_race_is_guessed_run_and_explained(page, address):
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{address}#race")
    page.get_by_role("button", name="Race", exact=True).click()
    expect(page.locator("#race")).to_contain_text("Guess first")
    assert "0.800" not in page.locator("#race").inner_text()
    page.get_by_label("feature extraction", exact=True).focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Race", exact=True).press("Enter")
    expect(page.get_by_role("img", name="Validation AUC by epoch")).to_be_visible()
    page.get_by_role("button", name="Test scores and explanation").press("Enter")
    lab = Lab()
    lab.load_prepared(races.PREPARED[0].name)
    lab.race()
    lab.wait()
    text = page.locator("#race").inner_text()
    for sentence in (*lab.current.explanation, lab.current.look_at, lab.current.caveat):
        assert sentence in text
    for lane in lab.lanes:
        assert f"{lane.result.auc:.3f}" in text
        assert f"{lane.result.auc_lo:.3f} to {lane.result.auc_hi:.3f}" in text
    assert "Your guess is not right: full fine-tune is clearly best." in text
    assert not violations(page)
    page.reload()  # the state is in the address
    expect(page.locator("#race")).to_contain_text(lab.current.explanation[0])
    page.go_back()
    expect(page.get_by_role("button", name="Test scores and explanation")).to_be_visible()


def test_a_race_without_curves_says_so(page, address):
    page.goto(f"{address}#race=Five+strategies,+measured+before&guess={explain.NONE}&step=result")
    expect(page.locator("#race")).to_contain_text("Of this race only the scores were stored")
    expect(page.locator("#race")).to_contain_text("Your guess is right: no arm is clearly best.")


def test_cards_are_answered_by_keyboard_and_the_course_reads_the_progress(page, address):
    page.goto(f"{address}#cards=cnn")
    for key in "34":
        check = page.locator(".card .big")
        check.focus()
        page.keyboard.press("Enter")
        page.keyboard.press(key)
    expect(page.locator("#cards")).to_contain_text("2 answered now")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Export").click()
    found = progress.parse(Path(caught.value.path()).read_text("utf-8"))
    assert [review.rating for review in found.reviews] == [3, 4]
    known = {item["id"]: item["topic"] for item in cards.load()}
    assert {known[review.item] for review in found.reviews} == {"cnn"}
    assert not violations(page)
    page.get_by_role("button", name="Erase", exact=True).click()
    page.get_by_role("button", name="Erase all answers for good").click()
    assert page.evaluate("localStorage.length") == 0


def reviewed(now: datetime) -> progress.Progress:
    """Some items answered on several days, the last one by a clock that was behind."""
    found, newest = [], ""
    plan = (("a", (9, 6, 2), (3, 3, 4)), ("b", (8, 1), (1, 3)), ("c", (0.001,), (2,)),
            ("d", (5, 5.5), (4, 1)))  # fmt: skip
    for item, days, ratings in plan:
        for day, rating in zip(days, ratings, strict=True):
            at = (now - timedelta(days=day)).isoformat(timespec="microseconds")
            after = newest if item == "d" and newest > at else ""
            newest = max(newest, at)
            name = f"cnn-{item}-{day}"
            found.append(progress.Review(name, item, at, after, rating, None, rating > 1))
    return progress.Progress(tuple(found))


@pytest.mark.parametrize("days", [None, 3])
def test_the_page_takes_the_courses_progress_and_plans_as_it_does(page, address, tmp_path, days):
    now = datetime.now(UTC).replace(microsecond=0)
    day = days and date.today() + timedelta(days=days)
    mine = dataclasses.replace(reviewed(now), interview=day, entered=now.isoformat())
    (tmp_path / "progress.json").write_text(mine.text(), encoding="utf-8")
    page.goto(f"{address}#cards")
    page.get_by_label("Import").set_input_files(tmp_path / "progress.json")
    expect(page.locator("#cards")).to_contain_text("8 new answers were taken in")
    plan = Schedule(mine, now)
    found = page.evaluate(
        """(now) => { const {cards, recall} = schedule(progress(), new Date(now));
        return [...cards].map(([id, card]) => [id, card.due.toISOString(),
          recall(id, new Date(now))]); }""", now.isoformat())  # fmt: skip
    assert {item for item, _, _ in found} == set(plan.cards)
    for item, due, recall in found:
        gap = abs(datetime.fromisoformat(due) - plan.cards[item].due)
        assert gap <= timedelta(minutes=2), (item, due, plan.cards[item].due)
        assert recall == pytest.approx(plan.recall(item, now), abs=0.01)
    if days:
        expect(page.locator("#cards")).to_contain_text("3 days to the interview")


def test_damaged_progress_is_kept_aside(page, address, tmp_path):
    page.goto(address)
    page.evaluate(f"localStorage.setItem('{KEY}', '{{\"reviews\": [')")
    page.goto(f"{address}#cards")
    expect(page.locator("#cards")).to_contain_text("could not be used")
    kept = page.evaluate("Object.entries(localStorage)")
    assert [(key.startswith(KEY) and key.endswith(".aside"), text) for key, text in kept] == [
        (True, '{"reviews": [')
    ]
    (tmp_path / "other.json").write_text(json.dumps({"what": "something else"}))
    page.get_by_label("Import").set_input_files(tmp_path / "other.json")
    expect(page.locator("#cards")).to_contain_text("This file holds no progress (it was written by")


def test_where_a_browser_keeps_nothing_cards_still_work_and_it_is_said(page, address):
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    )
    page.goto(f"{address}#cards=cnn")
    expect(page.locator("#cards")).to_contain_text("This browser keeps nothing for this page")
    page.locator(".card .big").press("Enter")
    page.keyboard.press("1")
    expect(page.locator("#cards")).to_contain_text("1 answered now")


def test_where_storage_is_full_answers_last_as_long_as_the_page(page, address):
    page.goto(f"{address}#cards=cnn")
    page.evaluate("""() => { for (let text = "x".repeat(1 << 20), k = 0; text; k++) {
        try { localStorage.setItem(k, text); }
        catch { text = text.slice(text.length / 2 + 1); } } }""")
    page.locator(".card .big").press("Enter")
    page.keyboard.press("3")
    expect(page.locator("#cards")).to_contain_text("This browser keeps nothing for this page")
    page.locator(".card .big").press("Enter")
    page.keyboard.press("4")
    expect(page.locator("#cards")).to_contain_text("2 answered now")
    assert len(set(page.evaluate("progress().reviews.map((review) => review.item)"))) == 2


def test_damaged_progress_that_finds_no_room_stays_where_it_is(page, address):
    damaged = '{"interview": "2026-99-99"}'
    page.goto(address)
    page.evaluate(
        """([key, text]) => { localStorage.setItem(key, text);
        for (let text = "x".repeat(1 << 20), k = 0; text; k++) {
            try { localStorage.setItem(k, text); }
            catch { text = text.slice(text.length / 2 + 1); } } }""",
        [KEY, damaged],
    )
    page.goto(f"{address}#cards=cnn")
    expect(page.locator("#cards")).to_contain_text("It stays in this browser as")
    page.locator(".card .big").press("Enter")
    page.keyboard.press("3")
    expect(page.locator("#cards")).to_contain_text("1 answered now")
    assert page.evaluate(f"localStorage.getItem('{KEY}')") == damaged


def test_a_day_that_is_none_is_refused(page, address):
    page.goto(f"{address}#cards")
    whole = page.evaluate("progress()")
    for day, fits in (("2026-99-99", False), ("2026-12-31", True)):
        asked = f"parseProgress({json.dumps(json.dumps(whole | {'interview': day}))})"
        said = page.evaluate(f"(() => {{ try {{ {asked}; return ''; }} "
                             "catch (error) { return error.message; } })()")  # fmt: skip
        assert said == ("" if fits else "its day of the interview is no date")


def test_a_held_key_answers_one_card(page, address):
    page.goto(f"{address}#cards=cnn")
    question = page.locator("#question").inner_text()
    page.locator(".card .big").focus()
    for _ in range(5):  # pressed again without letting go is a repeat
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    expect(page.locator("#ratings")).to_be_visible()
    assert page.locator("#question").inner_text() == question
    for _ in range(5):
        page.keyboard.down("3")
    page.keyboard.up("3")
    expect(page.locator("#cards")).to_contain_text("1 answered now")


def test_the_day_of_the_interview_can_be_typed(page, address):
    """Every digit of a year changes the day; a field drawn anew would take the next as a month."""
    page.goto(f"{address}#cards")
    day = date.today().replace(month=12, day=31) + timedelta(days=365)
    page.get_by_label("Day of the interview").focus()
    page.keyboard.type(f"12/31/{day.year}")
    assert page.evaluate("progress().interview") == f"{day.year}-12-31"
    expect(page.locator("#cards")).to_contain_text("days to the interview")
    page.keyboard.type("6")  # a year of five digits, which no file of the course holds
    page.reload()
    assert "could not be used" not in page.locator("#cards").inner_text()


NUMBERS = ("4,652,008", ".86", "-1e-3", "86 %", "3 images", "1,5", "", "x", "−2", "1,000,00", "%")


def test_numbers_are_read_as_the_course_reads_them(page, address):
    page.goto(address)
    for text in NUMBERS:
        for unit in ("", "images", "%"):
            try:
                wanted = cards.number(text, unit)
            except CourseError:
                wanted = None
            found = page.evaluate("([text, unit]) => numberOf(text, unit)", [text, unit])
            assert (None if np.isnan(found) else found) == wanted, (text, unit)


def test_every_kind_of_card_is_judged(page, address):
    page.goto(f"{address}#cards")
    shown = [item for item in cards.load() if item["kind"] in ("choice", "numeric", "order",
                                                               "predict", "spoken")]  # fmt: skip
    for kind in ("choice", "numeric", "order", "predict", "spoken"):
        item = next(item for item in shown if item["kind"] == kind)
        page.evaluate(
            "(id) => { session.item = COURSE_LESSONS.cards.find((one) => one.id === id);"
            "session.topic = ''; opened.cards(address()[1]); }", item["id"])  # fmt: skip
        card = page.locator(".card")
        if kind in ("choice", "numeric", "predict"):
            card.get_by_role("button", name="Check").click()  # nothing is answered yet
            assert card.get_by_role("button", name="1 again").count() == 0
        if kind == "choice":
            for choice in item["choices"]:
                if choice["right"]:
                    card.get_by_text(choice["text"].replace("`", "")).first.click()
        elif kind == "numeric":
            card.get_by_label("Your number").fill(f"{item['value']} {item['unit']}")
        elif kind == "predict":
            card.get_by_label("What it prints").fill(item["output"])
        elif kind == "order":
            for place, step in enumerate(item["steps"]):
                up = card.get_by_role("button", name=f"Up: {step}", exact=True)
                while card.locator("li").nth(place).get_by_text(step.replace("`", "")).count() == 0:
                    up.press("Enter")
        card.locator(".big").click()
        if kind == "spoken":
            expect(card).to_contain_text("Strong: ")
        else:
            expect(card.get_by_role("status")).to_contain_text("Right.")
        assert not violations(page)


def test_the_page_stays_readable_on_a_telephone(browser, address):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    for tab in ("try", "race=&guess=from+scratch&step=result", "cards=", "about="):
        page.goto(f"{address}#{tab}")
        page.set_viewport_size({"width": 320, "height": 844})  # 1280 pixels at 400 %
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        smallest = page.evaluate(
            "Math.min(...[...document.querySelectorAll('main *')].filter((e) => e.textContent"
            " && e.getClientRects().length).map((e) => parseFloat(getComputedStyle(e).fontSize)))"
        )
        assert smallest >= 15.9
        assert not violations(page)
    context.close()


@pytest.mark.long
def test_two_thousand_images_take_no_more_memory_than_two_hundred(browser, address, tmp_path):
    files = [draw(tmp_path / str(k), 1000, side=200, hue=k) for k in range(2)]
    peaks = []
    for n in (100, 1000):
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        for k in range(2):
            choose(page, k + 1, files[k][:n])
        page.get_by_role("button", name="Start").click()
        most = 0
        while page.evaluate("working"):
            most = max(most, chromium_memory())
            page.wait_for_timeout(500)
        assert page.evaluate("lastResult.kept.length") == 2 * n
        peaks.append(most)
        context.close()
    assert peaks[0] > 100e6  # the browser was found
    assert peaks[1] - peaks[0] < 250e6  # 18 kB of numbers an image, and what is not collected yet


def chromium_memory() -> int:
    """Return the unshared memory of the browser that the tests started, in bytes."""
    mine = [child for child in psutil.Process().children(recursive=True)
            if "chrom" in child.name()]  # fmt: skip
    total = 0
    for child in mine:
        try:
            total += child.memory_full_info().uss
        except psutil.Error:
            continue
    return total
