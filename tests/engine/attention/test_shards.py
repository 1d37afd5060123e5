from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.attention.extraction import Extraction, ExtractionConfig, extract, extract_shards
from engine.attention.shards import rows_in, shards_of


def test_shards_are_whole_batches_but_for_the_last():
    shards = shards_of(10, 3, about=4)

    assert [(s.number, s.start, s.stop) for s in shards] == [(0, 0, 6), (1, 6, 10)]


@given(n=st.integers(0, 500), batch=st.integers(1, 40), about=st.integers(1, 60))
def test_every_row_is_in_one_shard_in_order(n, batch, about):
    shards = shards_of(n, batch, about=about)

    assert rows_in(shards).tolist() == list(range(n))
    assert all(len(shard) % batch == 0 for shard in shards[:-1])
    assert [shard.number for shard in shards] == list(range(len(shards)))


@pytest.mark.parametrize("wanted", [(0, 1, 2), (1,), (0, 2), (2,)])
def test_any_shards_are_to_the_bit_what_the_whole_pass_gives(
    small_manifest, small_classifier, wanted
):
    config = ExtractionConfig(batch_size=4)
    whole = extract(small_manifest, small_classifier, config)
    shards = shards_of(19, 4, about=7)
    assert len(shards) == 3

    parts = extract_shards(
        small_manifest, small_classifier, config, [shards[number] for number in wanted]
    )

    for number, (shard, arrays) in zip(wanted, parts, strict=True):
        assert shard.number == number
        assert {*arrays, "rows"} == {field.name for field in fields(Extraction)}
        for name, values in arrays.items():
            expected = getattr(whole, name)[shard.start : shard.stop]
            assert values.dtype == expected.dtype
            assert values.tobytes() == expected.tobytes(), name


def test_progress_counts_the_pictures_of_the_shards_that_are_wanted(
    small_manifest, small_classifier
):
    told = []
    config = ExtractionConfig(batch_size=4)

    for _ in extract_shards(
        small_manifest,
        small_classifier,
        config,
        shards_of(19, 4, about=8)[1:],
        on_progress=lambda done, total: told.append((done, total)),
    ):
        pass

    assert told == [(4, 11), (8, 11), (11, 11)]


def test_a_caller_that_stops_early_stops_the_decoding(small_manifest, small_classifier):
    import threading

    parts = extract_shards(
        small_manifest, small_classifier, ExtractionConfig(batch_size=1), shards_of(19, 1, about=1)
    )
    next(parts)

    parts.close()

    assert not [t for t in threading.enumerate() if t.name == "fetch ahead"]
    assert not any(part._forward_hooks for part in small_classifier.module.modules())


def test_no_shard_gives_nothing(small_manifest, small_classifier):
    assert list(extract_shards(small_manifest, small_classifier, ExtractionConfig(), ())) == []


def test_no_rows_are_in_no_shard():
    assert rows_in(()).dtype == np.int64
