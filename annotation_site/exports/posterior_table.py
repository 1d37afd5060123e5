"""The table of posteriors: what the votes say of every query."""

import json
from collections.abc import Iterator

from annotation_site.annotation.models import AnswerChoice
from annotation_site.exports.source import CHUNK, Source
from annotation_site.exports.tables import Row, Table, integer, number, text

READ = ("pk", "image__row", "image__image_id", "image__split", "image__label", "cluster")
COLUMNS = (
    integer("item", "see items"),
    integer("row", "position of the image in the manifest"),
    text("image_id", "as the manifest names it"),
    text("split", "train, val, or test"),
    text("class", "true class"),
    integer("cluster", "in the attention space"),
    integer("n_votes", "votes that say something"),
    integer("n_unsure", "votes that do not: cannot tell, did not load"),
    text("votes", "votes for each answer, JSON"),
    text("majority", "most frequent answer; empty: no vote, or as many for another"),
    number("majority_share", "its share of the votes"),
    text("dawid_skene", "likeliest answer when annotators' errors are worked out too"),
    number("dawid_skene_probability", "how probable that answer is"),
    number("core_probability", "how probable yes is, by Dawid-Skene; of attention rounds"),
)


def count(source: Source) -> int:
    """Count the queries of the round."""
    return source.round.tasks.asked().count()


def rows(source: Source) -> Iterator[Row]:
    """Give the queries in the order of their numbers, those without votes too."""
    found = source.posteriors
    read = source.round.tasks.asked().order_by("pk").values_list(*READ)
    for item, row, image_id, split, label, cluster in read.iterator(chunk_size=CHUNK):
        each = found.of(item)
        yield (
            item, row, image_id, split, source.class_name(label), cluster, each.n_votes,
            each.n_unsure, json.dumps(dict(zip(each.categories, each.counts, strict=True))),
            each.majority, each.majority_share, each.likely, each.likely_probability,
            each.probability(AnswerChoice.YES),
        )  # fmt: skip


POSTERIORS = Table(
    name="posteriors", words="what the votes say of each query", columns=COLUMNS,
    count=count, rows=rows,
)  # fmt: skip
