"""What a lead may send from the quality pages."""

from typing import Any

from django import forms

from annotation_site.quality.rules import LIMITS, WORDS, Rules
from annotation_site.quality.whatif import STEPS


class ReasonForm(forms.Form):
    """Why something is left out, or let in again."""

    reason = forms.CharField(
        max_length=300,
        label="Reason",
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )


class LimitsForm(forms.Form):
    """The limits of the rules."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (low, high) in LIMITS.items():
            whole = isinstance(getattr(Rules(), name), int)
            attributes = {"class": "input input--number", "step": "1" if whole else "any"}
            widget = forms.NumberInput(attrs=attributes)
            self.fields[name] = (
                forms.IntegerField(
                    label=WORDS[name], min_value=int(low), max_value=int(high), widget=widget
                )
                if whole
                else forms.FloatField(
                    label=WORDS[name], min_value=low, max_value=high, widget=widget
                )
            )

    def limits(self) -> dict[str, float]:
        """Give the limits of a valid form."""
        return {name: self.cleaned_data[name] for name in LIMITS}


class WhatIfForm(LimitsForm):
    """Limits to try, and the one to move along."""

    along = forms.ChoiceField(
        label="Move along",
        choices=[(name, WORDS[name]) for name in STEPS],
        widget=forms.Select(attrs={"class": "input"}),
    )


class RulesForm(LimitsForm):
    """The limits of the rules, and why they change."""

    def __init__(self, *args: Any, needs_reason: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"] = forms.CharField(
            label="Why they change",
            max_length=300,
            required=needs_reason,
            help_text="The round has opened: every figure under the new rules will tell."
            if needs_reason
            else "",
            widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
        )


class LookForm(forms.Form):
    """A lead's own answer to an image."""

    answer = forms.ChoiceField(widget=forms.RadioSelect)
    note = forms.CharField(
        max_length=300,
        required=False,
        label="Note",
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, answers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["answer"]
        assert isinstance(field, forms.ChoiceField)  # as declared above
        field.choices = answers
