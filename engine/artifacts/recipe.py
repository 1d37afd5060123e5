"""How an artifact is made, and the key that follows from it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def canonical_json(value: object) -> str:
    """Write a JSON value in its one canonical form: sorted keys, no spaces, no NaN.

    Args:
        value: Anything `json` can write.

    Returns:
        The text; equal values give equal texts.

    Raises:
        ValueError: A number is NaN or infinite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one artifact is made.

    Attributes:
        kind: The stage's word, e.g. `scores`.
        version: The stage's version; raised when its output would change.
        config: The stage's settings as a JSON value.
        inputs: Name of each input artifact to its key.
        seed: The run's seed, or None for a stage that draws nothing.
    """

    kind: str
    version: int
    config: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the recipe as a JSON value."""
        return {
            "kind": self.kind,
            "version": self.version,
            "config": dict(self.config),
            "inputs": dict(self.inputs),
            "seed": self.seed,
        }

    @property
    def key(self) -> str:
        """SHA-256 over the canonical recipe: equal requests share work, a changed one never does."""
        return hashlib.sha256(canonical_json(self.as_json()).encode()).hexdigest()
