"""docs/teaching.md and docs/exams.md: minutes add up, links lead somewhere, numbers are right."""

import json
import math
import re
from pathlib import Path
from statistics import fmean, stdev

import pytest

from helpers.evidence import verdicts
from helpers.lab import engine, measured
from helpers.lab.explain import leader
from helpers.lab.race import Race, answered
from helpers.lab.races import PREPARED
from helpers.plots import label_of
from tests.conftest import script

ROOT = Path(__file__).parent.parent
TEACHING = (ROOT / "docs" / "teaching.md").read_text("utf-8")
EXAMS = (ROOT / "docs" / "exams.md").read_text("utf-8")
NOTEBOOKS = script(ROOT / "course.py").notebook_files()
# Decimals, shares in per cent and counts from 1,000: what was measured or has to be worked out.
NUMBER = re.compile(r"(?<![\w.,])(?:\d[\d,]*)?\.\d+|(?<![\w.,])\d+(?= %)|(?<![\w.,])\d+(?:,\d{3})+")


def anchor(heading: str) -> str:
    """Return what GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    return {anchor(found) for found in re.findall(r"^#+ (.+)$", text, re.M)}


def parts(text: str, level: str) -> dict[str, str]:
    """Return what stands below each heading of a level, up to the next of it or of a higher one."""
    found = re.split(rf"^{level} (.+)$", text, flags=re.M)
    return {
        name: re.split(rf"^#{{1,{len(level)}}} ", body, flags=re.M)[0]
        for name, body in zip(found[1::2], found[2::2], strict=True)
    }


def cells(name: str) -> list[dict]:
    return json.loads((ROOT / name).read_text("utf-8"))["cells"]


def told(name: str) -> str:
    """Return all that a notebook says: words, code, and the text of its stored outputs."""
    said = []
    for cell in cells(name):
        said.append("".join(cell["source"]))
        for output in cell.get("outputs", []):
            said.append("".join(output.get("text", output.get("data", {}).get("text/plain", ""))))
    return "\n".join(said)


def section_of(name: str) -> str:
    """Return what teaching.md says of a notebook; it begins with a link to it."""
    (found,) = [body for body in parts(TEACHING, "###").values()
                if body.strip().startswith(f"[Notebook](../{name})")]  # fmt: skip
    return found


def numbers(text: str) -> set[str]:
    return {found.lstrip("0").replace(",", "") for found in NUMBER.findall(text)}


@pytest.mark.parametrize("text", [TEACHING, EXAMS], ids=["teaching", "exams"])
def test_every_link_and_anchor_exists(text):
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert links
    for link in links:
        if link.startswith("http"):
            continue
        path, _, place = link.partition("#")
        target = ROOT / "docs" / path if path else None
        assert target is None or target.exists(), link
        if place and (target is None or target.suffix == ".md"):
            assert place in anchors(target.read_text("utf-8") if target else text), link


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_notebook_has_its_section_with_aims_time_questions_and_trouble(name):
    section = section_of(name)
    for word in ("**Aims.**", "**Time.**", "**Where classes get stuck.**", "**If it is slow.**"):
        assert word in section, f"{name}: {word}"
    rows = re.findall(r"^\| (.+) \| (.+) \|$", section, re.M)[1:]
    assert len(rows) >= 3, "questions with answers"
    assert all(len(answer) > 3 for _, answer in rows)


@pytest.mark.parametrize("name", [n for n in NOTEBOOKS if "strategy_lab" not in n])
def test_every_number_of_a_section_stands_in_its_notebook(name):
    stray = numbers(section_of(name)) - numbers(told(name))
    assert not stray, f"{name} does not say {sorted(stray)}"


def test_the_times_are_those_that_the_notebooks_give():
    table = parts(TEACHING, "##")["How long each notebook takes"]
    start = told("notebooks/00_start_here.ipynb")
    found = re.findall(r"\]\((\w+\.ipynb)\)[^|]*\| [^|]+ \| ([^|]+) \|", start)
    hours = {f"notebooks/{name}": said for name, said in found}
    assert len(hours) == 9
    for name in NOTEBOOKS:
        text = "\n".join("".join(c["source"]) for c in cells(name) if c["cell_type"] == "markdown")
        computing = re.search(r"\*About (\d+ (?:seconds|minutes)) of computing", text)[1]
        exercises = sum(map(int, re.findall(r"\*\*Exercise \d\*\* \((\d+) min", text)))
        (row,) = re.findall(rf"^\| \[[^\]]+\]\(\.\./{name}\) \| (.+) \|$", table, re.M)
        assert row.split(" | ")[:2] == [computing, f"{exercises} min"], name
        whole = row.split(" | ")[2]
        if "/more/" in name:
            assert re.search(rf"\b{whole.removesuffix(' min')} minutes with the exercise", text), (
                name
            )
        elif name in hours:
            assert whole.removesuffix(" h") == hours[name], name


@pytest.mark.parametrize("minutes", [50, 90, 180])
def test_the_minutes_of_a_plan_add_up(minutes):
    (plan,) = [body for name, body in parts(TEACHING, "###").items()
               if name.startswith(f"{minutes} minutes")]  # fmt: skip
    assert sum(map(int, re.findall(r"^\| (\d+) \|", plan, re.M))) == minutes


def test_every_meeting_of_the_four_weeks_takes_ninety_minutes():
    (plan,) = [body for name, body in parts(TEACHING, "###").items() if name.startswith("Four")]
    rows = re.findall(r"^\| \d \| (.+?) \|", plan, re.M)
    assert len(rows) == 4
    for row in rows:
        assert sum(map(int, re.findall(r"\((\d+) min\)", row))) == 90, row


def test_the_prepared_races_end_as_the_page_says():
    """From the stored runs; every race of the lab stands in the table, in its order."""
    table = parts(TEACHING, "##")["What the prepared races show"]
    rows = re.findall(r"^\| `(.+)` \| (.+) \| (.+) \|$", table, re.M)
    assert [row[0] for row in rows] == [race.name for race in PREPARED]
    for (_, ends, scores), race in zip(rows, PREPARED, strict=True):
        known = measured.available(race.setup)
        if not all(known):
            known = [measured.whole(race.setup, arm, "spare") for arm in race.setup.arms]
        results = Race(1, race.setup, answered(race.setup, known)).results
        assert ends.removesuffix(" clearly ahead") == leader(results)
        assert scores == ", ".join(f"{arm} {found.auc:.3f}".replace(" 0.", " .")
                                   for arm, found in results.items())  # fmt: skip


def test_the_slow_machine_is_told_as_the_lab_acts():
    said = " ".join(TEACHING.split())
    assert (f"looks at a race after {engine.LOOK_AFTER} seconds; where more than "
            f"{engine.MOST_LEFT} seconds are left") in said  # fmt: skip


def test_the_line_for_a_slide_names_the_course_and_its_version():
    cited = (ROOT / "CITATION.cff").read_text("utf-8")
    title, version = (
        re.search(r'title: "(.+)"', cited)[1],
        re.search(r"^version: (.+)", cited, re.M)[1],
    )
    assert f"*{title}, version {version}, CC BY 4.0; changed: ...*" in TEACHING


def test_every_card_that_is_named_exists():
    known = {card["id"] for path in (ROOT / "data" / "cards").glob("*.json")
             for card in json.loads(path.read_text("utf-8"))}  # fmt: skip
    named = [name for row in re.findall(r"^\*\*Cards\.\*\* (.+)$", TEACHING, re.M)
             for name in re.findall(r"`([\w-]+)`", row)]  # fmt: skip
    assert len(named) >= 3 * len(NOTEBOOKS) - 9
    assert set(named) <= known, set(named) - known


def questions(exam: str) -> dict[str, tuple[int, str]]:
    """Return number -> points and text of an exam's questions."""
    found = parts(EXAMS, "###")
    heads = {re.match(rf"({exam}\d)\. .+\((\d+) points\)$", name): text
             for name, text in found.items() if re.match(rf"{exam}\d\. ", name)}  # fmt: skip
    return {head[1]: (int(head[2]), text) for head, text in heads.items()}


def keys(exam: str) -> dict[str, str]:
    return {name.removeprefix("Key to "): text for name, text in parts(EXAMS, "###").items()
            if name.startswith(f"Key to {exam}")}  # fmt: skip


@pytest.mark.parametrize("exam", "AB")
def test_the_points_of_an_exam_add_up_and_every_question_has_its_key(exam):
    asked, answered_ = questions(exam), keys(exam)
    assert list(asked) == [f"{exam}{k}" for k in range(1, 7)] == list(answered_)
    assert sum(points for points, _ in asked.values()) == 60
    for name, (points, text) in asked.items():
        inner = [int(p) for p in re.findall(r"\((\d+) points?\)", text)]
        assert sum(inner) == points, name
        marks = re.findall(r"^([a-z])\)", text, re.M)
        assert set(marks) <= set(re.findall(r"^([a-z])\)", answered_[name], re.M)), name
    rubric = re.findall(r"^\| (\d+) \|", answered_[f"{exam}6"], re.M)
    assert sum(map(int, rubric)) == asked[f"{exam}6"][0], "the rubric's points"


def test_the_two_exams_share_no_question():
    lines = [{line for _, text in questions(exam).values() for line in text.splitlines()
              if re.match(r"[a-z]\) |\d+[. ]", line)} for exam in "AB"]  # fmt: skip
    assert min(map(len, lines)) > 30
    assert not lines[0] & lines[1]


def test_no_question_is_a_card_word_for_word():
    known = {card.get("question", "") for path in (ROOT / "data" / "cards").glob("*.json")
             for card in json.loads(path.read_text("utf-8"))} - {""}  # fmt: skip
    assert len(known) > 200
    assert not [question for question in known if question in EXAMS]


def t_interval(values, t=4.303):
    half = t * stdev(values) / math.sqrt(len(values))
    return fmean(values), fmean(values) - half, fmean(values) + half


def ppv(sensitivity, specificity, share):
    true = sensitivity * share
    return true / (true + (1 - specificity) * (1 - share))


MEANING = {"log": math.log, "ppv": ppv, "t_interval": t_interval, "round": round, "tuple": tuple}


def test_every_number_to_work_out_is_what_its_expression_gives():
    """A key shows a result in bold, and behind it, in a comment, the expression."""
    worked = re.findall(r"\*\*([^*]+)\*\* <!-- (.+?) -->", EXAMS)
    assert len(worked) >= 10
    for shown, expression in worked:
        value = eval(expression, {"__builtins__": {}, **MEANING})
        said = [float(x.replace(",", "")) for x in re.findall(r"\d[\d,]*\.?\d*|\.\d+", shown)]
        found = list(value) if isinstance(value, tuple) else [value]
        assert said == pytest.approx(found, abs=1e-9), (shown, value)


FIGURES = {"A5": ("elpv", 800), "B5": ("flowers", 800)}
SHOWN = ("scratch", "feature_extraction", "partial_finetune_last1", "partial_finetune",
         "full_finetune", "lp_ft")  # fmt: skip


def figure(place: tuple[str, int]) -> list[str]:
    """Return the rows of an exam's printed table, from the stored evidence."""
    found, rows = verdicts.evidence(), []
    arms = found.arms[(found.arms["dataset"] == place[0]) & (found.arms["n"] == place[1])]
    arms = arms.set_index("arm")
    best = arms.loc[list(SHOWN), "auc"].idxmax()
    for arm in SHOWN:
        behind = "the best"
        if arm != best:
            gap = verdicts.ahead(found.auc[place], found.by_image[place], best, arm)
            behind = f"{gap.mean:.3f} [{gap.lo:+.3f}, {gap.hi:+.3f}]"
        row = arms.loc[arm]
        rows.append(f"| {label_of(arm)} | {row.auc:.3f} | {behind} | {row.seconds:.0f} |")
    return rows


@pytest.mark.parametrize("name", FIGURES)
def test_the_printed_tables_are_the_stored_evidence(name):
    text = questions(name[0])[name][1]
    assert [line for line in text.splitlines() if line.startswith("| ")][1:] == figure(
        FIGURES[name]
    )


def test_what_the_keys_say_of_the_tables_follows_from_them():
    found = verdicts.evidence()
    for name, place in FIGURES.items():
        cell = found.cells[(found.cells["dataset"] == place[0]) & (found.cells["n"] == place[1])]
        seconds = found.arms[(found.arms["dataset"] == place[0]) & (found.arms["n"] == place[1])]
        seconds = seconds.set_index("arm")["seconds"]
        times = seconds["full_finetune"] / seconds["feature_extraction"]
        assert f"about {times:.0f} times" in keys(name[0])[name]
        assert f"take **{label_of(cell['choice'].item())}**" in keys(name[0])[name]
