"""What a lead may set in the live view."""

from django import forms


class SteeringForm(forms.Form):
    """Settings of steering; the pressed button says on or off."""

    least = forms.IntegerField(min_value=1, max_value=99)
    ceiling = forms.IntegerField(min_value=1, max_value=99)
    enough = forms.FloatField(min_value=0.01, max_value=1_000_000)
    is_on = forms.BooleanField(required=False)
