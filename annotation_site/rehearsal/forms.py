"""What a lead may suppose of a rehearsal."""

from typing import Any

from django import forms

from annotation_site.accounts.forms import dress
from annotation_site.rehearsal.services import CROWDS, Wishes

HUNDRED = 100


class RehearsalForm(forms.Form):
    """The people who come, what they are paid, and what the pictures are like."""

    annotators = forms.IntegerField(
        min_value=1,
        max_value=5_000,
        required=False,
        label="People who come",
        help_text="Left empty, a quarter more than are needed.",
    )
    per_hour = forms.FloatField(min_value=1, max_value=10_000, initial=60, label="Arrivals an hour")
    crowd = forms.ChoiceField(
        choices=[(name, words) for name, (words, _) in CROWDS.items()], label="The people"
    )
    reward = forms.FloatField(
        min_value=0,
        max_value=1_000,
        label="Reward for a sitting",
        help_text="In the panel's currency.",
    )
    fee = forms.FloatField(
        min_value=0,
        max_value=200,
        initial=33,
        label="The panel's fee, %",
        help_text="On top of the rewards.",
    )
    share_yes = forms.FloatField(
        min_value=0, max_value=HUNDRED, initial=60, label="Images that deserve a yes, %"
    )
    share_contested = forms.FloatField(
        min_value=0, max_value=HUNDRED, initial=15, label="Images that are hard to tell, %"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)

    def wishes(self) -> Wishes:
        """Give what was said; of a form that is valid."""
        said = self.cleaned_data
        return Wishes(
            annotators=said["annotators"] or 0,
            per_hour=said["per_hour"],
            crowd=said["crowd"],
            reward=said["reward"],
            fee=said["fee"] / HUNDRED,
            share_yes=said["share_yes"] / HUNDRED,
            share_contested=said["share_contested"] / HUNDRED,
        )
