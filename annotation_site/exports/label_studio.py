"""The round as Label Studio imports it: a task for each query, with annotations and a prediction.

Label Studio takes an annotation without `ground_truth` for the truth, and one with an unknown
`completed_by` for an error, so the first is always written and the second never: annotations come in
under whoever imports them, and the annotator's pseudonym is kept beside the choice.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import IO, Any
from xml.sax.saxutils import quoteattr

from annotation_site.exports.source import CHUNK, Source
from annotation_site.exports.tables import Document
from annotation_site.exports.votes import counted

FROM_NAME, TO_NAME = "answer", "image"
MODEL_VERSION = "gazecheck-dawid-skene"
READ = (
    "pk", "image__row", "image__image_id", "image__public_id", "image__split", "image__label",
    "cluster",
)  # fmt: skip


def count(source: Source) -> int:
    """Count the queries of the round."""
    return source.round.tasks.asked().count()


def write_tasks(source: Source, file: IO[str]) -> Iterator[None]:
    """Write the tasks as one JSON list, a line each."""
    votes = _votes(source)
    following = next(votes, None)
    separator = "[\n"
    read = source.round.tasks.asked().order_by("pk").values_list(*READ)
    for each in read.iterator(chunk_size=CHUNK):
        given: list[tuple[Any, ...]] = []
        if following is not None and following[0] == each[0]:
            given = following[1]
            following = next(votes, None)
        file.write(separator + json.dumps(_task(source, each, given), ensure_ascii=False))
        separator = ",\n"
        yield
    file.write("[]\n" if separator == "[\n" else "\n]\n")


def _votes(source: Source) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
    read = (
        counted(source.round)
        .order_by("assignment__task_id", "pk")
        .values_list(
            "assignment__task_id",
            "pk",
            "answer",
            "assignment__sitting__annotator__public_id",
            "shown_to_answer_ms",
            "hidden_ms",
            "client_uuid",
        )
        .iterator(chunk_size=CHUNK)
    )
    for task, group in groupby(read, itemgetter(0)):
        yield task, list(group)


def _task(source: Source, read: tuple[Any, ...], votes: list[tuple[Any, ...]]) -> dict[str, Any]:
    item, row, image_id, image, split, label, cluster = read
    found = source.posteriors.of(item)
    predictions = []
    if found.likely:
        predictions.append(
            {
                "model_version": MODEL_VERSION,
                "score": found.likely_probability,
                "result": [_choice(f"p{item}", found.likely)],
            }
        )
    return {
        "id": item,
        "data": {
            "image": image_id,
            "row": row,
            "gazecheck_image": image,
            "class": source.class_name(label),
            "split": split,
            "cluster": cluster,
            "question": source.round.question,
        },
        "annotations": [_annotation(vote) for vote in votes],
        "predictions": predictions,
    }


def _annotation(vote: tuple[Any, ...]) -> dict[str, Any]:
    _, key, answer, annotator, shown, hidden, uuid = vote
    seconds = None if shown is None else max(0.0, shown - (hidden or 0.0)) / 1000
    return {
        "id": key,
        "result": [
            _choice(str(uuid), answer) | {"meta": {"text": [f"annotator {annotator}"]}},
        ],
        "lead_time": seconds,
        "ground_truth": False,
        "was_cancelled": False,
    }


def _choice(region: str, answer: str) -> dict[str, Any]:
    return {
        "id": region,
        "from_name": FROM_NAME,
        "to_name": TO_NAME,
        "type": "choices",
        "value": {"choices": [answer]},
    }


def write_config(source: Source, file: IO[str]) -> Iterator[None]:
    """Write the labelling interface that the tasks want."""
    file.write("<View>\n")
    file.write(f"  <Header value={quoteattr(source.round.question)}/>\n")
    file.write(f'  <Image name="{TO_NAME}" value="$image"/>\n')
    file.write(f'  <Choices name="{FROM_NAME}" toName="{TO_NAME}" choice="single">\n')
    for answer in source.round.answers:
        file.write(f"    <Choice value={quoteattr(answer)}/>\n")
        yield
    file.write("  </Choices>\n</View>\n")


TASKS = Document(
    name="label_studio.json",
    words="queries, votes and posteriors, to import into Label Studio",
    content_type="application/json",
    count=count,
    write=write_tasks,
)
CONFIG = Document(
    name="label_studio_config.xml",
    words="the labelling interface to paste into Label Studio first",
    content_type="application/xml",
    count=lambda source: len(source.round.answers),
    write=write_config,
)
