"""What can go wrong, as a tree.

Our exception hierarchy:

    EngineError
      + InvalidInput (ValueError)
      |   + ManifestError      a row, a picture or a column of a data set
      |   + MisalignedRows     arrays that speak of different rows
      |   + UnknownOption      a name that is not on the list
      + NotEnoughLabels        a question that the answers cannot decide
      + ModelMismatch          weights that do not fit the architecture or the classes
      + UnsafeCheckpoint       a file that would run code when opened
      + DataUnavailable        a package or weights that this machine cannot fetch
      + ArtifactError
      |   + ArtifactMissing (LookupError)
      |   + ArtifactCorrupt
      + OutOfSpace             the disk is full; nothing half-written is left
      + Cancelled              somebody asked the work to stop

Every message names the thing, the value and the way out: it is shown to people as it stands.
"""

import difflib
from collections.abc import Iterable


class EngineError(Exception):
    """The root of everything the engine raises on purpose."""


class InvalidInput(EngineError, ValueError):
    """A value that a user gave and that cannot be used."""


class ManifestError(InvalidInput):
    """A data set's manifest, or a picture it names, cannot be used."""


class MisalignedRows(InvalidInput):
    """Arrays that should describe the same rows do not."""


class UnknownOption(InvalidInput):
    """A name that is not on the list of known names."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str]) -> "UnknownOption":
        """Name the unknown option, the nearest known one, and the whole list.

        Args:
            kind: What was being named, e.g. `architecture`.
            name: The name given.
            known: Every name that would have been accepted.

        Returns:
            The exception, to be raised by the caller.
        """
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return cls(f"unknown {kind} {name!r}; {hint}known: {', '.join(names)}")


class NotEnoughLabels(EngineError):
    """The answers at hand cannot decide the question asked of them."""


class ModelMismatch(EngineError):
    """Weights do not fit the architecture, or the classes of the data set."""


class UnsafeCheckpoint(EngineError):
    """A model file holds pickled objects, which would run code when opened."""


class DataUnavailable(EngineError):
    """A package, a data set or weights cannot be had on this machine."""


class ArtifactError(EngineError):
    """Something about a stored artifact."""


class ArtifactMissing(ArtifactError, LookupError):
    """No artifact of that kind and key is in the store."""


class ArtifactCorrupt(ArtifactError):
    """An artifact's files are not what was written."""


class OutOfSpace(EngineError):
    """The disk is full. What was being written is gone, what was finished is kept."""


class Cancelled(EngineError):
    """Somebody asked the work to stop."""
