import dataclasses
import typing

import pytest

from engine.artifacts.codecs import to_json
from engine.artifacts.recipe import Recipe
from engine.errors import InvalidInput, UnknownOption
from engine.pipeline.config import (
    PRESETS,
    PipelineConfig,
    merge,
    parse_assignments,
    read_toml,
)


def test_an_unknown_setting_names_the_nearest_one(tmp_path):
    path = tmp_path / "pipeline.toml"
    path.write_text("[spreading]\ngama = 0.5\n")

    with pytest.raises(
        UnknownOption,
        match=r"^unknown setting spreading\.gama in pipeline\.toml; did you mean gamma\?$",
    ):
        PipelineConfig.from_toml(path)


def test_an_unknown_table_names_the_nearest_one():
    with pytest.raises(
        UnknownOption, match=r"unknown setting spreding in .* did you mean spreading"
    ):
        PipelineConfig.from_mapping({"spreding": {"alpha": 0.5}})


def test_a_setting_like_no_other_lists_what_is_known():
    with pytest.raises(
        UnknownOption, match=r"unknown setting evaluation\.zzz in .*known here: split"
    ):
        PipelineConfig.from_mapping({"evaluation": {"zzz": 1}})


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"seed": "zero"}, "seed in the settings must be of type int, got 'zero'"),
        ({"seed": True}, "seed in the settings must be of type int, got True"),
        ({"seed": 1.5}, "seed in the settings must be of type int, got 1.5"),
        (
            {"spreading": {"alpha": "half"}},
            "spreading.alpha in the settings must be of type float, got 'half'",
        ),
        (
            {"spreading": {"alpha": True}},
            "spreading.alpha in the settings must be of type float, got True",
        ),
        ({"spreading": 0.5}, "spreading in the settings is a table of settings, got 0.5"),
        (
            {"evaluation": {"attention": "yes"}},
            "evaluation.attention in the settings must be of type bool, got 'yes'",
        ),
        (
            {"last_layer": {"c_grid": [0.1, "x"]}},
            "last_layer.c_grid in the settings must be of type float, got 'x'",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(table, said):
    with pytest.raises(InvalidInput) as refused:
        PipelineConfig.from_mapping(table)

    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"preset": "papr"}, "unknown preset 'papr'; did you mean paper"),
        ({"data": {"layout": "folder"}}, "did you mean folders"),
        ({"classifier": {"source": "heads"}}, "did you mean head"),
        ({"classifier": {"source": "file"}}, "classifier.weights names none"),
        ({"classifier": {"image_size": 8}}, "at least 16 pixels, got 8"),
        ({"retraining": {"routes": ["slim"]}}, "unknown route 'slim'"),
        ({"retraining": {"mode": "heads"}}, "did you mean head"),
        ({"evaluation": {"split": "train"}}, "known: test, val"),
        ({"spreading": {"alpha": 1.5}}, r"alpha .* got 1\.5"),
        ({"subset": {"size": -1}}, "size .* got -1"),
        ({"fine_tuning": {"epochs": 0}}, "epochs must be at least 1, got 0"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(table, said):
    with pytest.raises(InvalidInput, match=said):
        PipelineConfig.from_mapping(table)


def test_whole_numbers_and_decimals_give_one_key():
    one, same = (PipelineConfig.from_mapping({"fine_tuning": {"lr": lr}}) for lr in (1, 1.0))

    assert one == same
    assert type(one.fine_tuning.lr) is float
    keys = {
        Recipe(kind="classifier", version=1, config=to_json(config.fine_tuning)).key
        for config in (one, same)
    }
    assert len(keys) == 1


def test_numbers_in_lists_have_their_fields_type_too():
    config = PipelineConfig.from_mapping({"last_layer": {"c_grid": [1, 10]}})

    assert [type(c) for c in config.last_layer.c_grid] == [float, float]


def test_one_value_stands_for_a_list_of_one():
    config = PipelineConfig.from_mapping({"retraining": {"routes": "erm"}})

    assert config.retraining.routes == ("erm",)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_stage_with_a_preset_takes_it(preset):
    config = PipelineConfig.from_mapping({"preset": preset})

    assert config.preset == preset
    for stage in dataclasses.fields(PipelineConfig):
        cls = typing.get_type_hints(PipelineConfig)[stage.name]
        if hasattr(cls, "preset") and callable(cls.preset):
            assert getattr(config, stage.name) == cls.preset(preset), stage.name


def test_the_presets_differ():
    configs = [PipelineConfig.of_preset(preset) for preset in PRESETS]

    assert len({repr(config.as_json() | {"preset": ""}) for config in configs}) == len(PRESETS)


def test_a_setting_overrides_its_preset_and_nothing_else():
    config = PipelineConfig.from_mapping({"preset": "authors", "subset": {"size": 7}})
    authors = PipelineConfig.of_preset("authors")

    assert config == dataclasses.replace(
        authors, subset=dataclasses.replace(authors.subset, size=7)
    )


def test_assignments_are_nested_settings():
    assert parse_assignments(
        ["seed=3", "spreading.alpha=0.2", "data.layout=folders", 'retraining.routes=["erm"]']
    ) == {
        "seed": 3,
        "spreading": {"alpha": 0.2},
        "data": {"layout": "folders"},
        "retraining": {"routes": ["erm"]},
    }


def test_an_assignment_without_a_value_is_refused():
    with pytest.raises(InvalidInput, match=r"table\.key=value, got 'spreading.alpha'"):
        parse_assignments(["spreading.alpha"])


def test_an_assignment_below_a_value_is_refused():
    with pytest.raises(InvalidInput, match="seed is one setting and no table"):
        PipelineConfig.from_mapping(parse_assignments(["seed=3", "seed.low=4"]))


def test_the_higher_table_wins_where_both_speak():
    low = {"seed": 1, "spreading": {"alpha": 0.1, "k": 5}}

    assert merge(low, {"spreading": {"alpha": 0.9}}) == {
        "seed": 1,
        "spreading": {"alpha": 0.9, "k": 5},
    }
    assert low == {"seed": 1, "spreading": {"alpha": 0.1, "k": 5}}


def test_a_missing_file_of_settings_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"no settings file .*absent\.toml"):
        read_toml(tmp_path / "absent.toml")


@pytest.mark.parametrize("content", [b"[spreading", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_named(tmp_path, content):
    path = tmp_path / "pipeline.toml"
    path.write_bytes(content)

    with pytest.raises(InvalidInput, match=r"pipeline\.toml is not valid TOML"):
        read_toml(path)
