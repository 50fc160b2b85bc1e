"""Prepared races: a question, the arms that answer it, and what to look at afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.lab.setup import Arm, Setup

QUESTION = "Which arm has the clearly best test AUC?"


@dataclass(frozen=True)
class Prepared:
    """A race that loads by its name and is the same each time.

    Attributes
    ----------
    question : asked before the race; the answers are the arms, or none of them clearly.
    look_at : where to look once it is run.
    """

    name: str
    question: str
    setup: Setup
    look_at: str


PREPARED = (
    Prepared(
        "400 images: freeze or not",
        "400 labelled solar cells, three epochs for each arm. Is one arm clearly best?",
        Setup(
            (Arm("feature_extraction"), Arm("partial_finetune"), Arm("full_finetune")),
            epochs=3,
        ),
        "Compare the intervals with the seconds: what did each further trained part cost and "
        "bring? Where accuracy lags behind AUC: it cuts at .5, AUC asks for the order alone. Set 8 "
        "epochs and race again: does the arm that trains most catch up?",
    ),
    Prepared(
        "The BN trap",
        "Both arms freeze the backbone and train the same head. In one BatchNorm's running "
        "statistics rest, in the other they move. Is one clearly best?",
        Setup(
            (Arm("feature_extraction"), Arm("feature_extraction", batchnorm="train")),
            epochs=4,
        ),
        "Both arms train the same 2,562 numbers. Look at the validation curves, and at the "
        "seconds: statistics that move also forbid computing the frozen part once.",
    ),
    Prepared(
        "Gray: mean or sum",
        "Gray images, a first layer for three colours: its weights are summed, averaged or drawn "
        "anew. Only the head trains. Which is clearly best?",
        Setup(
            (Arm("feature_extraction"), Arm("feature_extraction", gray="mean"),
             Arm("feature_extraction", gray="random")),
            image_size=96, epochs=10,
        ),
        "The mean makes every activation of the first layer a third of what it was. Did the test "
        "AUC notice? And what did new random filters cost?",
    ),
    Prepared(
        "Five strategies, measured before",
        "200 labelled solar cells, twenty epochs for each of five arms. Is one arm clearly best?",
        Setup(
            (Arm("scratch"), Arm("feature_extraction"), Arm("partial_finetune"),
             Arm("full_finetune"), Arm("lp_ft")),
            n=200, epochs=20,
        ),
        "How wide are the intervals, with one run of each arm on 656 test images? With another "
        "seed another arm may lead: try seeds 1 and 2.",
    ),
)  # fmt: skip
