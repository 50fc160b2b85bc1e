"""Every bug shows itself and is mended in one place; every drill's checker tells right from wrong.

What all cards have in common (fields, links, plain text) is tested beside, in test_cards.py.
"""

import ast
import functools
import json
import re
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers import files
from helpers.practice import cards, drills
from helpers.widgets import bench

FOLDER = files.resource("cards")
BUGS, DRILLS = (
    {item["id"]: item for item in json.loads((FOLDER / f"{name}.json").read_text("utf-8"))}
    for name in ("bugs", "drills")
)
EVERY_BUG = pytest.mark.parametrize("name", BUGS)
ELSEWHERE = [(name, int(at), mend) for name, item in BUGS.items()
             for at, mend in item.get("also", {}).items()]  # fmt: skip
EVERY_DRILL = pytest.mark.parametrize("item", DRILLS.values(), ids=DRILLS)

# What learners write instead of the given mend, and whether it mends.
MENDS = [
    (
        "best-that-is-an-alias",
        "        import copy; best_loss, best = val_loss, copy.deepcopy(net.state_dict())",
        True,
    ),
    ("softmax-twice", "    scores = net(x).log_softmax(dim=1)", True),
    ("validated-in-train-mode", "with net.eval() and torch.no_grad():", True),
    ("decayed-gamma", "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)", True),
    (
        "warm-up-in-name-only",
        "    return falling if epoch >= warmup else (epoch + 1) / warmup",
        True,
    ),
    ("warm-up-in-name-only", "    return falling * min(1, epoch / warmup)", True),
    ("a-third-of-it", "    gray.weight.copy_(3 * colour.weight.mean(dim=1, keepdim=True))", True),
    ("new-and-frozen", "    parameter.requires_grad = not name.startswith('stage')", True),
    (
        "one-floor-for-all",
        "scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs, eta_min=0)",
        True,
    ),
    ("mean-of-means", "    losses += [loss.item()] * len(labels[batch])", True),
    ("upside-down-class", "malignant = 1 - model.predict_proba(features[test])[:, 1]", True),
    ("not-divided-in-service", "    x = (torch.from_numpy(upload).float() - 127.5) / 127.5", True),
    ("four-times-the-step", "    (loss / 4).backward()", True),
    ("sixty-four-times-sixty-four", "    errors = net(x) - y.unsqueeze(1)", True),
    ("the-same-crops", "    rng = np.random.default_rng(worker)", True),
    ("a-sum-that-remembers", "    total += loss.detach()", True),
    ("threshold-from-test", "threshold = 0.5", True),
    (
        "layers-in-a-list",
        "        self.hidden = nn.Sequential(*[nn.Linear(10, 10) for _ in range(3)])",
        True,
    ),
    ("nothing-was-loaded", "message = net.load_state_dict(saved, strict=True)", False),
    ("thawed-by-a-new-layer", "body[0] = summed(body[0]).eval()", False),
    ("frozen-yet-moving", "body.train(False)", True),
    ("norm-of-everybody", "    norm = nn.utils.clip_grad_norm_(body.parameters(), 1.0)", False),
    ("cosine-by-the-batch", "scheduler = CosineAnnealingLR(optimizer, T_max=80)", True),
    ("patients-on-both-sides", "train, test = places[:750], places[750:]", True),
    ("chosen-on-all", "score = cross_val_score(model, x, y, cv=5).mean()", True),
]


@functools.cache
def run(name: str, mend: bool) -> tuple[dict, str]:
    """Return what a bug's code leaves behind and what its assertion says, mended or not."""
    item, space = BUGS[name], {}
    torch.manual_seed(99)  # a snippet brings its own seed
    code = cards.mended(item, item["mend"]) if mend else item["code"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one bug is that nobody read them
        fault = cards.execute(code, space)[1]
    return space, fault or cards.execute(item["assert_"], space)[1]


def tokens(text: str) -> list[str]:
    """Return the numbers of a text as they are written; code between backticks has none."""
    plain = re.sub(r"`[^`]*`", "", text)
    return re.findall(r"(?<!\w)\.?\d(?:[\d,.]*\d)?(?:e-\d+)?", plain)


def value(text: str) -> float:
    return float(text.replace(",", ""))


@EVERY_BUG
def test_a_bug_shows_in_its_assertion_and_the_mend_mends_it(name):
    said = run(name, mend=False)[1]
    assert said.startswith("The assertion fails: ")
    assert len(said) > len("The assertion fails: ") + 10, "say what is seen, in words"
    assert run(name, mend=True)[1] == ""


@pytest.mark.parametrize(("name", "at", "mend"), ELSEWHERE)
def test_another_line_that_counts_as_named_rightly_can_be_mended(name, at, mend):
    assert at != BUGS[name]["line"]
    assert cards.still_wrong(BUGS[name], mend, at) == ""


@EVERY_BUG
def test_the_mend_fits_into_the_line_that_it_replaces(name):
    item = BUGS[name]
    for at, mend in cards.mends(item).items():
        faulty = item["code"].splitlines()[at - 1]
        indents = [len(line) - len(line.lstrip()) for line in (faulty, mend)]
        assert indents[0] == indents[1]
    kept = cards.mended(item, item["mend"]).splitlines()
    lines = item["code"].splitlines()
    assert kept[: item["line"] - 1] == lines[: item["line"] - 1]
    assert kept[len(kept) - len(lines) + item["line"] :] == lines[item["line"] :]


@EVERY_BUG
def test_the_cheapest_check_comes_first_and_finds_it(name):
    """So there is one right order, and no other one finds the bug sooner."""
    checks = BUGS[name]["checks"]
    assert 3 <= len(checks) <= 5
    assert all(a["cost"] < b["cost"] for a, b in pairwise(checks))
    assert checks[0]["finds"]
    assert not checks[-1]["finds"], "what costs most is what people try in vain"


@EVERY_BUG
def test_a_bug_is_told_by_numbers_that_are_measured_or_stand_in_its_code(name):
    item, space = BUGS[name], run(name, mend=False)[0]
    told, numbers = f"{item['symptom']} {item['why']}", item.get("numbers", {})
    in_code = {value(number) for number in tokens(item["code"])}
    known = {tokens(written)[0] for written in numbers}
    loose = [n for n in tokens(told) if n not in known and value(n) not in in_code]
    assert loose == [], "measured by nothing"
    for written, expression in numbers.items():
        assert written in told
        places = len(written.rstrip(" %").partition(".")[2]) + 2 * ("%" in written)
        # A unit of the last place: other processors round otherwise.
        right = eval(expression, dict(space))
        assert float(right) == pytest.approx(cards.number(written), abs=1.01 * 10**-places)


@EVERY_BUG
def test_a_bug_brings_its_own_seed(name):
    item = BUGS[name]
    torch.manual_seed(1)
    said = run(name, mend=False)[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert cards.still_wrong(item) == said


@pytest.mark.parametrize(("name", "mend", "mends"), MENDS)
def test_other_mends_of_learners_are_judged_by_what_they_do(name, mend, mends):
    assert (cards.still_wrong(BUGS[name], mend) == "") is mends


def test_bugs_and_drills_are_enough_and_no_two_are_one():
    assert len(BUGS) >= 24
    assert len(DRILLS) == 10
    for field in ("question", "symptom", "code", "why"):
        assert len({item[field] for item in BUGS.values()}) == len(BUGS)


@EVERY_DRILL
def test_a_solution_passes_and_a_stub_does_not(item):
    assert bench.check(item, item["solution"]).startswith("✔")
    assert "nothing here yet" in bench.check(item, item["stub"])
    assert 10 <= item["minutes"] <= 20


@EVERY_DRILL
def test_a_solution_uses_only_what_the_stub_imports(item):
    top, solution = (ast.parse(item[field]).body for field in ("stub", "solution"))
    imports = [ast.unparse(node) for node in top if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert imports == [ast.unparse(node) for node in solution[:-1]]
    assert solution[-1].name == top[-1].name


def test_every_checker_of_the_drills_serves_one():
    own = {name for name, thing in vars(drills).items()
           if getattr(thing, "__wrapped__", None) is not None}  # fmt: skip
    assert own == {item["checker"] for item in DRILLS.values()}


def groups(freeze=("conv", "bn", "layer1"), rates=(("layer2", 1e-3), ("fc", 1e-2)), late=False):
    """Return an answer to the first drill; late: the head is replaced when all is done."""

    def answer(net):
        if not late:
            net.fc = nn.Linear(8, 2)
        for part in freeze:
            getattr(net, part).requires_grad_(False)
        found = [{"params": list(getattr(net, part).parameters()), "lr": rate}
                 for part, rate in rates]  # fmt: skip
        if late:
            net.fc = nn.Linear(8, 2)
        return found

    return answer


def normalised(dims=(0, 2, 3), correction=0, flip=False, affine=True, momentum=0.1, unbiased=True,
               update=True):  # fmt: skip
    """Return BatchNorm with faults."""

    def answer(x, gamma, beta, mean, var, training):
        m, v = x.mean(dims, keepdim=True), x.var(dims, correction=correction, keepdim=True)
        if training is flip:
            m, v = mean.view(1, 3, 1, 1), var.view(1, 3, 1, 1)
        y = (x - m) / (v + 1e-5).sqrt()
        if affine:
            y = gamma.view(1, 3, 1, 1) * y + beta.view(1, 3, 1, 1)
        if training and update:
            new = x.var((0, 2, 3), correction=int(unbiased))
            mean = (1 - momentum) * mean + momentum * x.mean((0, 2, 3))
            var = (1 - momentum) * var + momentum * new
        return y, mean, var

    return answer


def by_torch(x, gamma, beta, mean, var, training):
    return F.batch_norm(x, mean, var, gamma, beta, training), mean, var


def cam(score=lambda logits, k: logits[0, k], mean=True, relu=True, scale=False, weigh=True):
    """Return Grad-CAM with faults."""

    def answer(body, head, image, label):
        features = body(image)
        slope = torch.autograd.grad(score(head(features), label), features)[0]
        weights = slope.mean((2, 3), keepdim=True) if mean else slope
        found = ((weights if weigh else 1) * features).sum(1)[0]
        found = found.relu() if relu else found
        return found / found.max() if scale else found

    return answer


def leaks(by_patient=True, by_pixels=True, places=False, order=sorted, key=np.ndarray.tobytes):
    """Return a search for leaks with faults."""

    def answer(images, patients, train, test):
        seen = {key(images[k]) for k in train}
        found = [k for k in test if (by_patient and patients[k] in patients[train])
                 or (by_pixels and key(images[k]) in seen)]  # fmt: skip
        return order(list(test).index(k) for k in found) if places else order(found)

    return answer


def convolved(change=lambda w: w, share=1.0, padded=True, strided=True):
    """Return a convolution with faults."""
    return lambda x, w, stride, padding: (
        share
        * torch.conv2d(
            x, change(w), stride=stride if strided else 1, padding=padding if padded else 0
        )
    )


RIGHT = {
    drills.freeze_and_groups: [groups(), groups(rates=(("fc", 1e-2), ("layer2", 1e-3)))],
    drills.batchnorm_by_hand: [normalised(), by_torch],
    drills.conv2d_by_hand: [convolved()],
    drills.grad_cam_by_hand: [cam()],
    drills.find_the_leak: [leaks(), lambda *given: np.array(leaks()(*given))],
}
WRONG = {
    drills.freeze_and_groups: [
        (groups(freeze=("conv", "layer1")), "bn.weight should be frozen"),
        (groups(freeze=("conv", "bn", "layer1", "fc")), "fc.weight should train"),
        (groups(rates=(("layer2", 1e-3),)), "fc.weight is in no group"),
        (groups(rates=(("layer2", 1e-2), ("fc", 1e-2))), "layer2.0.weight has the rate 0.01"),
        (groups(rates=(("bn", 1e-4), ("layer2", 1e-3), ("fc", 1e-2))), "frozen and yet in a group"),
        (groups(late=True), "fc.weight is in no group"),
        (lambda net: [*groups()(net), {"params": [torch.zeros(2)]}], "the old head?"),
        (lambda net: net.parameters(), "the head must have two classes"),
        (lambda net: None, "raised TypeError"),
    ],
    drills.batchnorm_by_hand: [
        (normalised(flip=True), "the batch's numbers normalise in training"),
        (normalised(affine=False), "gamma and beta are missing"),
        (normalised(dims=(2, 3)), "that is by image"),
        (normalised(dims=(0, 1, 2, 3)), "that is over all channels"),
        (normalised(correction=1), "with n, not n - 1"),
        (normalised(momentum=0.9), "the running mean the wrong way round"),
        (normalised(unbiased=False), "the running variance takes the variance with n - 1"),
        (normalised(update=False), "the running mean does not move"),
        (lambda *given: (by_torch(*given[:-1], True)), "normalise in training"),
        (lambda *given: by_torch(*given)[0], "return three tensors"),
        (lambda *given: (*by_torch(*given)[:2], 1.0), "the running variance must be a tensor"),
    ],
    drills.conv2d_by_hand: [
        (convolved(lambda w: w.flip(2, 3)), "the kernel is flipped"),
        (convolved(lambda w: w.transpose(2, 3)), "rows and columns"),
        (convolved(share=1 / 3), "is not right"),
        (convolved(padded=False), "padding 1 must be a tensor of shape (2, 4, 7, 6)"),
        (convolved(strided=False), "stride 2, padding 0 must be a tensor"),
        (lambda *given: None, "must be a tensor"),
    ],
    drills.grad_cam_by_hand: [
        (cam(relu=False), "the ReLU is missing"),
        (cam(scale=True), "leave the scale"),
        (cam(lambda logits, k: logits.softmax(1)[0, k]), "before the softmax"),
        (cam(lambda logits, k: logits.max()), "the class with the highest logit"),
        (cam(mean=False), "average the gradient first"),
        (cam(weigh=False), "the channels are not weighted"),
        (cam(lambda logits, k: logits.sum()), "not ReLU(sum"),
        (lambda body, head, image, label: image, "the map must be a tensor of shape (6, 6)"),
    ],
    drills.find_the_leak: [
        (leaks(by_pixels=False), "under another name"),
        (leaks(by_patient=False), "same patient leaks as well"),
        (leaks(places=True), "places within test"),
        (leaks(order=list), "in rising order"),
        (leaks(key=lambda image: tuple(np.sort(image.ravel()))), "in other places"),
        (lambda images, patients, train, test: sorted({*train, *leaks()(images, patients, train,
                                                                        test)}), "name the test"),
        (lambda images, patients, train, test: [3, 9, 11, 14, 16, 23], "within test are no leak"),
        (lambda *given: [], "you name 0, four leak"),
        (lambda *given: "none", "return a list of positions"),
        (lambda *given: None, "return a list of positions"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("check", "answer"), [(c, a) for c, rows in RIGHT.items() for a in rows])
def test_other_right_answers_pass(check, answer):
    assert check(answer).right, check(answer)


@pytest.mark.parametrize(("check", "answer", "says"),
                         [(c, *row) for c, rows in WRONG.items() for row in rows])  # fmt: skip
def test_a_wrong_answer_is_refused_and_its_slip_named(check, answer, says):
    found = check(answer)
    assert not found.right
    assert says in found.message, found


def test_every_new_checker_is_held_to_answers():
    new = {thing for thing in vars(drills).values()
           if getattr(thing, "__module__", "") == drills.__name__
           and hasattr(thing, "__wrapped__")}  # fmt: skip
    assert set(RIGHT) == set(WRONG) == new
