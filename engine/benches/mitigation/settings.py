"""The one configuration of the bench, for every data set, and the switches that change it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.artifacts import codecs
from engine.artifacts.recipe import canonical_json
from engine.benches.answers import CrowdConfig
from engine.benches.mitigation.subject import Subject
from engine.data.manifest import Split
from engine.errors import InvalidInput
from engine.pipeline.config import PipelineConfig, merge, parse_assignments
from engine.training.retraining import Route

SHARE_ASKED = 0.05
MOST_ASKED = 120
LEAST_ASKED_A_CLASS = 4
OF_THE_DATA = ("data", "classifier", "extraction")
"""Tables that a data set sets for itself: what it is, and how its reference is made."""
CROWD = "crowd"


def queries_for(n_rows: int, n_classes: int) -> int:
    """Give how many images are asked about: a twentieth, at most 120, at least four a class.

    Args:
        n_rows: Images of the split.
        n_classes: Classes.

    Returns:
        The number of queries.
    """
    return max(min(round(SHARE_ASKED * n_rows), MOST_ASKED), LEAST_ASKED_A_CLASS * n_classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchConfig:
    """Everything that a bench's figures depend on, beside the subject.

    Attributes:
        pipeline: The product's own settings.
        crowd: Who answers.
    """

    pipeline: PipelineConfig
    crowd: CrowdConfig

    @classmethod
    def of(cls, subject: Subject, assignments: Sequence[str] = ()) -> "BenchConfig":
        """Give the bench's settings for a subject: the defaults, and the budget by one rule.

        Args:
            subject: Gives the tables of its data set, and the sizes that the rule is applied to.
            assignments: Changes as `table.key=value`, e.g. `screening.tau=0.4`.

        Returns:
            The settings.
        """
        manifest = subject.manifest
        classes = len(manifest.class_names)
        own = codecs.to_json(subject.config)
        table = {
            **{name: own[name] for name in OF_THE_DATA},
            "queries": {"budget": queries_for(len(manifest.rows_of(Split.TRAIN)), classes)},
            "retraining": {"routes": list(Route)},
        }
        first = cls(
            pipeline=PipelineConfig.from_mapping(table, origin="the bench's settings"),
            crowd=CrowdConfig(),
        )
        return first.changed(parse_assignments(assignments))

    def changed(self, table: Mapping[str, Any]) -> "BenchConfig":
        """Give the settings with some of them changed.

        Args:
            table: Nested settings; the table `crowd` is about who answers.

        Returns:
            The settings.

        Raises:
            UnknownOption: A setting is not known.
            InvalidInput: A value is of the wrong kind or out of range.
        """
        crowd = self.crowd
        if CROWD in table:
            known = codecs.to_json(crowd)
            if strange := set(table[CROWD]) - set(known):
                raise InvalidInput(
                    f"unknown setting {CROWD}.{min(strange)}; known: {', '.join(known)}"
                )
            crowd = replace(crowd, **table[CROWD])
        rest = {name: value for name, value in table.items() if name != CROWD}
        whole = merge(codecs.to_json(self.pipeline), rest)
        pipeline = PipelineConfig.from_mapping(whole, origin="the bench's settings")
        return BenchConfig(pipeline=pipeline, crowd=crowd)

    def with_seed(self, seed: int) -> "BenchConfig":
        """Give the settings with a bench seed."""
        return replace(self, pipeline=replace(self.pipeline, seed=seed))

    def shared(self) -> dict[str, Any]:
        """Give what holds for every data set: the settings without what a data set sets itself.

        The number of queries is replaced by the rule that gives it.
        """
        settings: dict[str, Any] = codecs.to_json(self.pipeline)
        for name in (*OF_THE_DATA, "seed", "device"):
            del settings[name]
        del settings["retraining"]["routes"], settings["queries"]["budget"]
        return {
            **settings,
            CROWD: codecs.to_json(self.crowd),
            "asked": {
                "share": SHARE_ASKED,
                "at_most": MOST_ASKED,
                "at_least_a_class": LEAST_ASKED_A_CLASS,
            },
        }

    def digest(self) -> str:
        """Give the SHA-256 of what holds for every data set."""
        return hashlib.sha256(canonical_json(self.shared()).encode()).hexdigest()


def nested(switch: str, value: Any) -> dict[str, Any]:
    """Give `screening.rule` and a value as a nested table."""
    table, _, key = switch.partition(".")
    return {table: {key: value}} if key else {table: value}
