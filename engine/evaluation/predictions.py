"""What a classifier said about some rows, beside the truth."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, Int64

from engine.errors import MisalignedRows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Logits of a classifier for m rows of the manifest, and their true classes.

    Attributes:
        rows: Positions in the manifest, each once.
        logits: Pre-softmax outputs; only their order within a row is used here.
        labels: True classes, in [0, c).
    """

    rows: Int[np.ndarray, " m"]
    logits: Float32[np.ndarray, "m c"]
    labels: Int[np.ndarray, " m"]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def predicted(self) -> Int64[np.ndarray, " m"]:
        """The class of the largest logit; the lower class where two are equal."""
        return np.asarray(np.argmax(self.logits, axis=1), dtype=np.int64)

    @property
    def correct(self) -> Bool[np.ndarray, " m"]:
        """Whether the predicted class is the true one."""
        return np.asarray(self.predicted == self.labels)

    def at(self, rows: Int[np.ndarray, " k"]) -> "Predictions":
        """Give the predictions of some of the rows, in the order asked for.

        Args:
            rows: Positions in the manifest, all of them among `self.rows`.

        Returns:
            The predictions of those rows.

        Raises:
            MisalignedRows: A row has no prediction.
        """
        position = {int(row): i for i, row in enumerate(self.rows)}
        absent = [int(row) for row in rows if int(row) not in position]
        if absent:
            raise MisalignedRows(
                f"no prediction for {len(absent)} of {len(rows)} rows, the first is row {absent[0]};"
                " predict them first"
            )
        where = np.array([position[int(row)] for row in rows], dtype=np.int64)
        return Predictions(
            rows=self.rows[where], logits=self.logits[where], labels=self.labels[where]
        )
