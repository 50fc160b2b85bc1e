"""Answers to the exercises of notebook 08."""

from helpers.practice import cheapest_search, sixty_seconds

SPOKEN = """Transfer learning starts from weights that were trained on another task. For 5,000
chest X-rays I would take a pretrained network, adapt its first layer to one channel, split by
patient, and train a new head on frozen features. That takes minutes and is my baseline. Then I
fine-tune everything with small rates and compare both on the same test images. On 400 images we
measured an AUC of .86 against .75 from scratch, three seeds, with the interval of the difference
above zero. Fine-tuning costs about twenty times the time, but it often gains little. If the
interval of the difference holds zero I keep the cheaper one. I would change my mind if the images
came from another scanner, or if there were fifty times as many."""


def without(*parts: str) -> str:
    """The answer with words taken out, filled up so that its length stays."""
    text = SPOKEN
    for part in parts:
        assert part in text
        text = text.replace(part, "so it was")
    return text


RIGHT = {
    sixty_seconds: [SPOKEN],
    cheapest_search: [
        lambda minutes, chances: sorted(
            range(len(minutes)), key=lambda k: minutes[k] / chances[k]
        ),
    ],
}  # fmt: skip
WRONG = {
    sixty_seconds: [
        ("", "nothing here yet"), ("...", "nothing here yet"), (7, "nothing here yet"),
        ("It depends. " * 30, "60 words"), (SPOKEN + SPOKEN, "words: 60 seconds"),
        (without("5,000", "400", ".86", ".75"), "no two numbers"),
        (without("images", "seeds", "interval"), "numbers need conditions"),
        (without("but", "against", "costs", "cheaper"), "no trade-off"),
        (without("If", "if", "change"), "what would change your mind"),
    ],
    cheapest_search: [
        (lambda minutes, chances: sorted(range(len(minutes)), key=lambda k: minutes[k]),
         "by minutes alone"),
        (lambda minutes, chances: sorted(range(len(minutes)), key=lambda k: -chances[k]),
         "by chance alone"),
        (lambda minutes, chances: sorted(range(len(minutes)),
                                         key=lambda k: -minutes[k] / chances[k]), "the worst"),
        (lambda minutes, chances: [2, 0, 1, 3][: len(minutes)], "another order"),
        (lambda minutes, chances: [0], "every position once"),
        (lambda minutes, chances: sorted(minutes), "every position once"),
        (lambda minutes, chances: 3, "return the positions"),
        (lambda minutes, chances: ["a"], "return the positions"),
    ],
}  # fmt: skip
