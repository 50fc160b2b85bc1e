"""Checkers of notebook 01: what a unit sees, CKA by hand, reading a probe curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from helpers.inspection import cka
from helpers.practice.checker import Slip, attempt, checker, close, name_slip, number

Layer = tuple[int, int]  # kernel size, stride


@checker
def receptive_field(answer: Callable[[Sequence[Layer]], int]) -> str:
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
        found = attempt(answer, list(layers))
        if isinstance(found, bool) or not isinstance(found, (int, np.integer)):
            raise Slip("return a whole number of pixels.")
        right = own_stride_too = step = 1
        for kernel, stride in layers:
            right += (kernel - 1) * step
            step *= stride
            own_stride_too += (kernel - 1) * step
        if found == right:
            continue
        kernels = [kernel for kernel, _ in layers]
        says = f"for {layers} it is {right}, yours is {found}."
        slips = (
            (1 + sum(kernel - 1 for kernel in kernels),
             "The strides are missing: behind stride 2 a step is two pixels wide."),
            (own_stride_too, "A layer's own stride counts only for the layers behind it."),
            (right - 1, "Start with the one pixel a position sees without any layer."),
            *((wrong, "A kernel of 3 adds two steps to what is seen, not three, and nothing "
                      "multiplies.") for wrong in (sum(kernels), np.prod(kernels))),
        )  # fmt: skip
        name_slip(found, [(wrong, f"{says} {hint}") for wrong, hint in slips])
        raise Slip(says)
    return "each layer adds (kernel - 1) steps, as large as all strides before it."


@checker
def linear_cka(answer: Callable[[np.ndarray, np.ndarray], float]) -> str:
    """Check ``answer(x, y)``: the plain linear CKA of ``(N, F1)`` and ``(N, F2)``.

    The debiased estimate is right too, and is told that it is.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5)) * [1, 2, 3, 4, 5] + 4
    y = np.tanh(x[:, :3] @ rng.normal(size=(3, 8))) + rng.normal(size=(40, 8)) + 2
    found = number(attempt(answer, x.copy(), y.copy()))
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    right = _cka(a, b)
    slips = (
        (_cka(x, y), "the columns are not centred: subtract each one's mean."),
        (right**0.5, "that is the root of it: the norm of x.T @ y has to be squared."),
        (np.linalg.norm(a.T @ b) ** 2,
         "not yet divided by the two norms ||x.T @ x|| and ||y.T @ y||."),
    )  # fmt: skip
    name_slip(found, slips, rtol=1e-6)
    if close(found, cka.linear_cka(x, y)):
        return "this is the debiased one: even better."
    if not close(found, right):
        raise Slip(
            f"for the test case it is {right:.4f}, yours is {found:.4f}: "
            "||x.T @ y||^2 / (||x.T @ x|| ||y.T @ y||), columns centred, Frobenius norms."
        )
    return "1 for the same up to rotation and scale, whatever the widths are."


def _cka(x: np.ndarray, y: np.ndarray) -> float:
    """Return linear CKA of columns that are centred already."""
    cross = np.linalg.norm(x.T @ y) ** 2
    return float(cross / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


Interval = tuple[float, float]


@checker
def transfer_begins(answer: Callable[[Sequence[str], Sequence[Interval]], str | None]) -> str:
    """Check ``answer(parts, differences)``: where the pretrained network pulls away.

    `differences` are the intervals (lo, hi) of pretrained minus untrained. Wanted is the first part
    from which on, to the last, they lie above 0; None where there is no such part.
    """
    parts = ["stem", "stage1", "stage2", "stage3"]
    none, touching, clear, behind = (-0.03, 0.02), (-0.01, 0.09), (0.02, 0.08), (-0.09, -0.02)
    cases = (
        ([none, none, clear, clear], "stage2", ""),
        ([clear] * 4, "stem", " It may begin at the very first part."),
        ([none, touching, clear, clear], "stage2",
         " At stage1 the mean is above 0, but the interval includes 0."),
        ([clear, none, clear, clear], "stage2",
         " At stage1 the two are alike again, so it has not begun at the stem for good."),
        ([clear, clear, clear, none], None, " At the last part the two are alike."),
        ([behind] * 4, None, " Here the untrained network is the better one."),
    )  # fmt: skip
    for differences, right, hint in cases:
        found = attempt(answer, list(parts), list(differences))
        if found is not None and found not in parts:
            raise Slip(f"return one of the parts or None, not {found!r}.")
        if found != right:
            raise Slip(f"differences {differences}: it is {right}, yours is {found}.{hint}")
    return "the first part from which every interval lies above 0."
