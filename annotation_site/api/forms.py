"""The form of a new token."""

from datetime import timedelta
from typing import Any

from django import forms

from annotation_site.accounts.forms import dress
from annotation_site.accounts.models import User
from annotation_site.api.models import Scope
from annotation_site.projects.models import Project, Role

LIVES = [(30, "30 days"), (90, "90 days"), (365, "a year")]


class TokenForm(forms.Form):
    """Name, scopes, project and life."""

    name = forms.CharField(max_length=80, help_text="To tell your tokens apart.")
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, widget=forms.CheckboxSelectMultiple, initial=[Scope.READ]
    )
    project = forms.ModelChoiceField(
        Project.objects.none(), required=False, empty_label="all projects that I am a member of"
    )
    days = forms.TypedChoiceField(label="Lives for", choices=LIVES, coerce=int, initial=90)

    def __init__(self, owner: User, *args: Any, **kwargs: Any) -> None:
        """Offer the projects that somebody leads.

        Args:
            owner: Who makes the token.
            args: As every form takes them.
            kwargs: The same.
        """
        super().__init__(*args, **kwargs)
        led = Project.objects.filter(memberships__user=owner, memberships__role=Role.LEAD)
        project = self.fields["project"]
        assert isinstance(project, forms.ModelChoiceField)  # as declared above
        project.queryset = led.order_by("name")
        dress(self)

    @property
    def life(self) -> timedelta:
        """How long the token lives."""
        return timedelta(days=self.cleaned_data["days"])
