"""Forms of the lead's pages about panels."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator

from annotation_site.accounts.forms import dress
from annotation_site.panels.codes import WHEN_FINISHED, WHEN_SCREENED_OUT, CodeType
from annotation_site.panels.models import PanelStudy
from annotation_site.panels.panels import CONVENTIONS, HEX_ID, PLAIN_ID, Panel, fault_of_template

CURRENCIES = [("GBP", "GBP"), ("USD", "USD"), ("EUR", "EUR")]
HUNDREDTHS = 100
_parameter = RegexValidator(r"^[A-Za-z][A-Za-z0-9_.-]*$", "Letters, digits, _ . - only.")


def _choices(kinds: tuple[CodeType, ...]) -> list[tuple[str, str]]:
    return [(str(kind), str(kind.label)) for kind in kinds]


class StudyForm(forms.Form):
    """How people are recruited and what they are promised."""

    name = forms.CharField(max_length=80, label="Name", help_text="For you and your colleagues.")
    external_id = forms.CharField(
        max_length=64,
        required=False,
        label="Study id on the panel",
        help_text="People of any other study are then refused.",
    )
    person_parameter = forms.CharField(
        max_length=40,
        required=False,
        validators=[_parameter],
        label="Parameter with the person's id",
        help_text="As it stands in the panel's link.",
    )
    submission_parameter = forms.CharField(
        max_length=40,
        required=False,
        validators=[_parameter],
        label="Parameter with the submission's id",
        help_text="Left empty, the person's id serves.",
    )
    return_template = forms.CharField(
        max_length=300,
        required=False,
        label="Address to go back to",
        help_text="With {code}, {worker_id} or {session_id}. Left empty, people copy their code.",
    )
    places = forms.IntegerField(
        min_value=0,
        max_value=1_000_000,
        initial=0,
        label="Places",
        help_text="0: as many as the round has.",
    )
    minutes = forms.IntegerField(
        min_value=0, max_value=600, initial=0, label="Minutes, as advertised"
    )
    reward = forms.DecimalField(
        min_value=0, max_digits=8, decimal_places=2, initial=0, label="Reward for one submission"
    )
    currency = forms.ChoiceField(choices=CURRENCIES, label="Currency")
    finished_code = forms.ChoiceField(choices=_choices(WHEN_FINISHED), label="Who finishes gets")
    screened_out_code = forms.ChoiceField(
        choices=_choices(WHEN_SCREENED_OUT), label="Who fails the practice gets"
    )
    tells_failed_checks = forms.BooleanField(
        required=False, label="Give people who fail the attention checks a code of their own"
    )
    signed_only = forms.BooleanField(
        required=False, label="Let in signed entries alone (Prolific's secure links)"
    )
    least_width = forms.IntegerField(
        min_value=0,
        max_value=2_000,
        initial=0,
        label="Narrowest screen, in pixels",
        help_text="0: any. The pages work from 320 on.",
    )
    forget_after_days = forms.IntegerField(
        min_value=1,
        max_value=3650,
        initial=90,
        label="Delete the panel's ids",
        help_text="Days after the round has closed.",
    )

    def __init__(self, *args: Any, study: PanelStudy, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.study = study
        for name in self._useless():
            del self.fields[name]
        if study.panel == Panel.OTHER:
            self.fields["person_parameter"].required = True
        dress(self)

    def _useless(self) -> set[str]:
        """Name the fields that mean nothing for the study's panel."""
        panel = Panel(self.study.panel)
        names: set[str] = set()
        if panel != Panel.PROLIFIC:
            names |= {"signed_only", "screened_out_code", "finished_code"}
        if panel not in CONVENTIONS or not CONVENTIONS[panel].study:
            names |= {"external_id"}
        if panel != Panel.OTHER:
            names |= {"person_parameter", "submission_parameter"}
        if panel in {Panel.PROLIFIC, Panel.INVITE}:
            names |= {"return_template"}
        if panel == Panel.INVITE:
            names |= {"reward", "currency", "minutes", "tells_failed_checks"}
        return names

    def clean_return_template(self) -> str:
        """Refuse an address that annotators may not be sent to."""
        template = str(self.cleaned_data["return_template"]).strip()
        fault = fault_of_template(template) if template else ""
        if fault:
            raise forms.ValidationError(fault)
        return template

    def clean_external_id(self) -> str:
        """Refuse what cannot be the panel's id of a study."""
        given = str(self.cleaned_data["external_id"]).strip()
        form = HEX_ID if self.study.is_prolific else PLAIN_ID
        if given and not form.fullmatch(given):
            raise forms.ValidationError(
                "A study id of Prolific has 24 letters of 0-9 and a-f; it stands in the address "
                "of the study's page there."
                if self.study.is_prolific
                else "Letters, digits and . _ - only."
            )
        return given

    def values(self) -> dict[str, object]:
        """Give what `services.change` takes, from a valid form."""
        values = dict(self.cleaned_data)
        if "reward" in values:
            values["reward"] = int(values["reward"] * HUNDREDTHS)
        return values

    @classmethod
    def of(cls, study: PanelStudy) -> "StudyForm":
        """Fill a form with what a study has."""
        names = [name for name in cls.base_fields if name != "reward"]
        initial = {name: getattr(study, name) for name in names}
        return cls(initial={**initial, "reward": study.reward / HUNDREDTHS}, study=study)


class AccountForm(forms.Form):
    """Keys to Prolific; what is left empty stays as it was."""

    token = forms.CharField(
        max_length=200,
        required=False,
        label="API token",
        help_text="From Prolific's settings. It is kept encrypted and never shown again.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    secret = forms.CharField(
        max_length=200,
        required=False,
        label="Webhook secret",
        help_text="The workspace's secret, if Prolific is to tell of changes by itself.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)


class InvitesForm(forms.Form):
    """How many personal links, and for how long."""

    count = forms.IntegerField(min_value=1, max_value=500, initial=5, label="How many")
    days = forms.IntegerField(min_value=1, max_value=365, initial=30, label="Days that they hold")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)
