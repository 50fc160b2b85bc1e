"""Checkers of notebook 01: what a unit sees, CKA by hand, reading a probe curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from helpers.practice.verdict import Verdict, attempt

Layer = tuple[int, int]  # kernel size, stride


def receptive_field(answer: Callable[[Sequence[Layer]], int]) -> Verdict:
    """Check ``answer(layers)``: how many pixels wide one position behind the last layer can see.

    `layers` are (kernel, stride) from the image on, e.g. ``[(3, 2), (3, 1)]``.
    """
    cases: tuple[list[Layer], ...] = (
        [(3, 1)],
        [(3, 1), (3, 1)],
        [(3, 2), (3, 1)],
        [(7, 2), (3, 2), (3, 1)],
        [(3, 2), (3, 1), (1, 1), (3, 2), (5, 2)],
    )
    for layers in cases:
        found, failed = attempt(answer, list(layers))
        if failed:
            return failed
        if isinstance(found, bool) or not isinstance(found, (int, np.integer)):
            return Verdict(False, "return a whole number of pixels.")
        right = _field(layers)
        if found != right:
            return Verdict(False, f"for {layers} it is {right}, yours is {found}." + _slip(
                layers, int(found)))  # fmt: skip
    return Verdict(True, "each layer adds (kernel - 1) steps, as large as all strides before it.")


def _field(layers: Sequence[Layer], *, first_stride: int = 1) -> int:
    field, step = 1, first_stride
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field


def _slip(layers: Sequence[Layer], found: int) -> str:
    """Return a hint for the usual wrong answers, "" for others."""
    kernels = [kernel for kernel, _ in layers]
    if found == 1 + sum(kernel - 1 for kernel in kernels):
        return " The strides are missing: behind stride 2 a step is two pixels wide."
    late = 1
    step = 1
    for kernel, stride in layers:
        step *= stride
        late += (kernel - 1) * step
    if found == late:
        return " A layer's own stride counts only for the layers behind it."
    if found == _field(layers) - 1:
        return " Start with the one pixel a position sees without any layer."
    if found in (sum(kernels), int(np.prod(kernels))):
        return " A kernel of 3 adds two steps to what is seen, not three, and nothing multiplies."
    return ""


def linear_cka(answer: Callable[[np.ndarray, np.ndarray], float]) -> Verdict:
    """Check ``answer(x, y)``: the plain linear CKA of ``(N, F1)`` and ``(N, F2)``.

    The debiased estimate is right too; that is said in the verdict.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5)) * [1, 2, 3, 4, 5] + 4
    y = np.tanh(x[:, :3] @ rng.normal(size=(3, 8))) + rng.normal(size=(40, 8)) + 2
    found, failed = attempt(answer, x.copy(), y.copy())
    if failed:
        return failed
    if np.ndim(found) != 0 or attempt(float, found)[1]:
        return Verdict(False, "return one number.")
    found, right = float(found), _cka(x, y)
    for wrong, says in (
        (_cka(x, y, centre=False), "the columns are not centred: subtract each one's mean."),
        (right**0.5, "that is the root of it: the norm of x.T @ y has to be squared."),
        (_norm(x, y) ** 2, "not yet divided by the two norms ||x.T @ x|| and ||y.T @ y||."),
    ):
        if np.isclose(found, wrong, rtol=1e-6):
            return Verdict(False, says)
    if np.isclose(found, right, rtol=1e-6):
        return Verdict(True, "1 for the same up to rotation and scale, whatever the widths are.")
    if np.isclose(found, _debiased(x, y), rtol=1e-6):
        return Verdict(True, "this is the debiased one: even better.")
    return Verdict(
        False, f"for the test case it is {right:.4f}, yours is {found:.4f}: "
        "||x.T @ y||^2 / (||x.T @ x|| ||y.T @ y||), columns centred, Frobenius norms."
    )  # fmt: skip


def _norm(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.linalg.norm((x - x.mean(axis=0)).T @ (y - y.mean(axis=0))))


def _cka(x: np.ndarray, y: np.ndarray, *, centre: bool = True) -> float:
    if centre:
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    cross = np.linalg.norm(x.T @ y) ** 2
    return float(cross / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def _debiased(x: np.ndarray, y: np.ndarray) -> float:
    def hsic(a: np.ndarray, b: np.ndarray) -> float:
        n, k, m = len(a), a @ a.T, b @ b.T
        np.fill_diagonal(k, 0)
        np.fill_diagonal(m, 0)
        chance = k.sum() * m.sum() / ((n - 1) * (n - 2))
        return (k * m).sum() + chance - 2 * k.sum(axis=0) @ m.sum(axis=0) / (n - 2)

    return float(hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y)))


Interval = tuple[float, float]


def transfer_begins(
    answer: Callable[[Sequence[str], Sequence[Interval], Sequence[Interval]], str | None],
) -> Verdict:
    """Check ``answer(parts, pretrained, untrained)``: where the pretrained network pulls away.

    Wanted is the first part from which on, to the last, the pretrained interval (lo, hi) lies
    wholly above the untrained one; None where there is no such part.
    """
    parts = ["stem", "stage1", "stage2", "stage3"]
    low, high = (0.70, 0.76), (0.80, 0.86)
    touching, far = (0.74, 0.82), (0.90, 0.95)
    cases = (
        ([low, low, high, far], [low] * 4, "stage2", ""),
        ([high, far, far, far], [low] * 4, "stem", " It may begin at the very first part."),
        ([low, touching, high, far], [low] * 4, "stage2",
         " At stage1 the mean is higher, but the intervals overlap."),
        ([high, low, high, high], [low] * 4, "stage2",
         " At stage1 the two are alike again, so it has not begun at the stem for good."),
        ([high, high, high, low], [low] * 4, None, " At the last part the two are alike."),
        ([low] * 4, [far] * 4, None, " Here the untrained network is the better one."),
    )  # fmt: skip
    for pretrained, untrained, right, hint in cases:
        found, failed = attempt(answer, list(parts), list(pretrained), list(untrained))
        if failed:
            return failed
        if found is not None and found not in parts:
            return Verdict(False, f"return one of the parts or None, not {found!r}.")
        if found != right:
            said = f"pretrained {pretrained} against untrained {untrained}"
            return Verdict(False, f"{said}: it is {right}, yours is {found}.{hint}")
    return Verdict(True, "the first part from which the intervals stay apart.")
