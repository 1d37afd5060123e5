"""Who answers: annotators, the browsers they use, and, apart from all else, who a panel says they are."""

from django.db import models

from annotation_site.annotation.states import Provider
from annotation_site.projects.models import new_public_id


class Annotator(models.Model):
    """Somebody who answers. Known by a keyed hash of an external id, never by name or address.

    For people with a plain link the external id is their browser's random key.
    """

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    provider = models.CharField(max_length=10, choices=Provider, default=Provider.LINK)
    key_hash = models.CharField(max_length=64, help_text="HMAC-SHA256 of the external id")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "key_hash"], name="annotator_once"),
            models.CheckConstraint(
                condition=models.Q(provider__in=Provider.values), name="annotator_provider"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class BrowserKey(models.Model):
    """A browser that may act for an annotator; the browser holds the key, the table its hash."""

    annotator = models.ForeignKey(Annotator, on_delete=models.CASCADE, related_name="browser_keys")
    key_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key_hash", "annotator"], name="browser_key_once"),
        ]

    def __str__(self) -> str:
        return f"a browser of {self.annotator}"


class Identity(models.Model):
    """What a panel calls an annotator, encrypted; deleting the row leaves every answer as it is."""

    annotator = models.OneToOneField(Annotator, on_delete=models.CASCADE, related_name="identity")
    sealed = models.BinaryField(help_text="Fernet token over a JSON object")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"identity of {self.annotator}"
