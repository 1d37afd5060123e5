"""Forms of signing in and of making an account from an invitation."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, BaseUserCreationForm

from annotation_site.accounts.models import User


def dress(form: forms.BaseForm) -> None:
    """Give every field its class, and tie its error and help to it for screen readers."""
    for name, field in form.fields.items():
        if isinstance(field.widget, forms.CheckboxInput | forms.RadioSelect):
            continue
        field.widget.attrs.setdefault("class", "input")
        field.widget.attrs.setdefault("aria-describedby", f"{name}-words")


class SignInForm(AuthenticationForm):
    """Name and password."""

    error_messages = {
        "invalid_login": "Name or password is wrong.",
        "inactive": "Name or password is wrong.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "Name"
        dress(self)


class AccountForm(BaseUserCreationForm[User]):
    """A new account, made from an invitation."""

    class Meta:
        model = User
        fields = ("username",)
        labels = {"username": "Name to sign in with"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].help_text = "Letters, digits and @ . + - _"
        self.fields["password1"].help_text = "Eight letters or more, not a common word."
        self.fields["password2"].label = "Password again"
        self.fields["password2"].help_text = ""
        dress(self)
