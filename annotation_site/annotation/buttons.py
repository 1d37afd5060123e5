"""What may be pressed on a page, in the annotator's language and reading direction."""

from dataclasses import dataclass

from django.utils.translation import get_language_bidi
from django.utils.translation import gettext as _

from annotation_site.annotation.models import UNSURE, AnswerChoice, Arm, Round

MOST_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """One answer to press.

    Attributes:
        value: What is sent.
        label: What stands on it.
        keys: Names of keys, as `KeyboardEvent.key` gives them in lower case, parted by blanks.
        shortcut: The key that is shown.
        is_minor: Whether it is one of the answers that tell nothing of the picture.
        is_own_word: Whether the label is the lead's and not the site's.
    """

    value: str
    label: str
    keys: str = ""
    shortcut: str = ""
    is_minor: bool = False
    is_own_word: bool = False

    @property
    def aria_keys(self) -> str:
        """The keys as `aria-keyshortcuts` wants them."""
        shown = {"arrowleft": "ArrowLeft", "arrowright": "ArrowRight"}
        return " ".join(shown.get(key, key.upper()) for key in self.keys.split())


def label_of(answer: str) -> str:
    """Give an answer in words; a choice of the comparison arm is its own word."""
    words = {
        AnswerChoice.YES: _("Yes"),
        AnswerChoice.NO: _("No"),
        AnswerChoice.CANNOT_TELL: _("Not sure"),
        AnswerChoice.NOT_LOADED: _("Image did not load"),
    }
    return words.get(AnswerChoice(answer), answer) if answer in AnswerChoice.values else answer


def buttons_of(round_: Round, *, with_unsure: bool = True) -> list[Button]:
    """Give the buttons of a round in their order.

    The arrow keys follow the places of the buttons, which change sides with the writing.
    """
    if round_.arm == Arm.ATTENTION:
        first, second = (
            ("arrowright", "arrowleft") if get_language_bidi() else ("arrowleft", "arrowright")
        )
        sure = [
            Button(value="no", label=label_of("no"), keys=f"n {first}", shortcut="N"),
            Button(value="yes", label=label_of("yes"), keys=f"y {second}", shortcut="Y"),
        ]
    else:
        sure = [
            Button(
                value=choice,
                label=choice,
                keys=str(number) if number <= MOST_DIGITS else "",
                shortcut=str(number) if number <= MOST_DIGITS else "",
                is_own_word=True,
            )
            for number, choice in enumerate(round_.choices, start=1)
        ]
    if not with_unsure:
        return sure
    minor = [Button(value=answer, label=label_of(answer), is_minor=True) for answer in UNSURE]
    return [*sure, *minor]
