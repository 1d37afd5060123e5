"""The table of items: one row for everything that a round may ask."""

from collections.abc import Iterator
from typing import Any

from annotation_site.exports.source import CHUNK, Source
from annotation_site.exports.tables import Row, Table, flag, integer, number, text

READ = (
    "pk", "role", "variant", "position", "cluster", "image__row", "image__image_id",
    "image__public_id", "image__split", "image__group", "image__label", "image__predicted",
    "image__confidence", "image__dead_true", "target", "reserved", "expected", "instruction",
    "stimulus_hash", "retired_reason",
)  # fmt: skip

COLUMNS = (
    integer("item", "its number, the same in every export"),
    text("role", "query, gold (answer known), repeat (asked twice), or check (says its answer)"),
    text("variant", "of gold: how the heat was changed; empty: as found"),
    integer("position", "order in which the engine picked it"),
    integer("cluster", "in the attention space"),
    integer("row", "position of the image in the manifest"),
    text("image_id", "as the manifest names it"),
    text("image", "the site's opaque id of the image"),
    text("split", "train, val, or test"),
    text("group", "of the data, for evaluation; never shown to annotators"),
    text("class", "true class"),
    text("predicted", "class that the classifier says"),
    number("confidence", "of the prediction, 0 to 1"),
    flag("dead_map", "no positive evidence for the true class"),
    integer("target", "answers wanted; of queries only"),
    integer("reserved", "places held or answered"),
    text("expected", "right answer of gold and checks"),
    text("instruction", "shown instead of the round's question"),
    text("stimulus_hash", "SHA-256 of what is shown"),
    text("retired_reason", "why nobody gets it any more; empty: asked"),
)


def count(source: Source) -> int:
    """Count the items of the round."""
    return source.round.tasks.count()


def rows(source: Source) -> Iterator[Row]:
    """Give the items in the order of their numbers."""
    read = source.round.tasks.order_by("pk").values_list(*READ).iterator(chunk_size=CHUNK)
    return (_row(source, each) for each in read)


def _row(source: Source, read: tuple[Any, ...]) -> Row:
    (
        item, role, variant, position, cluster, row, image_id, image, split, group, label,
        predicted, confidence, dead, target, reserved, expected, instruction, stimulus, retired,
    ) = read  # fmt: skip
    return (
        item, role, variant, position, cluster, row, image_id, image, split, group,
        source.class_name(label), source.class_name(predicted), confidence, dead, target,
        reserved, expected, instruction, stimulus, retired,
    )  # fmt: skip


ITEMS = Table(
    name="items", words="everything that may be asked", columns=COLUMNS, count=count, rows=rows
)
