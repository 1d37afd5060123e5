"""How finely a split is to be cut."""

from typing import Any

from django import forms

from annotation_site.accounts.forms import dress
from annotation_site.workspace.models import SplitChoice


class BuildForm(forms.Form):
    """Which images, and when slices are fine enough."""

    split = forms.ChoiceField(
        choices=SplitChoice.choices,
        initial=SplitChoice.VALIDATION,
        label="Images",
        help_text="Noise on training images needs the training split, or all.",
    )
    threshold = forms.FloatField(
        min_value=0.0,
        max_value=1.0,
        initial=0.8,
        required=False,
        label="Coherence of every slice",
        help_text="Slices are cut finer until each reaches it.",
    )
    n_slices = forms.IntegerField(
        min_value=0,
        max_value=2_000,
        initial=0,
        required=False,
        label="Number of slices",
        help_text="0: as many as coherence asks for.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)

    def clean_threshold(self) -> float:
        """Give the threshold, the usual one where none is given."""
        given: float | None = self.cleaned_data["threshold"]
        return 0.8 if given is None else given

    def clean_n_slices(self) -> int:
        """Give the number, 0 where none is given."""
        given: int | None = self.cleaned_data["n_slices"]
        return given or 0
