"""Bad input: exit code 1, one line that names thing, value and way out, nothing half-written."""

import pickle  # noqa: TID251  (to make what must be refused)
import re

import pytest
import torch
from safetensors.torch import save_file

from engine.labeling.votes import Answer, Vote, VoteTable, write_votes
from engine.models.architectures import build_module


@pytest.fixture
def refused(gazecheck, tiny_arguments, tmp_path):
    """Run a command that must be refused; give the line it ends with."""

    def run(command, *arguments, of=tiny_arguments):
        store = tmp_path / "artifacts"
        done = gazecheck(command, *of, *arguments, "--store", str(store), "--json")

        assert done.code == 1, done.err
        assert done.out == ""
        lines = [line for line in done.err.splitlines() if not line.startswith("✓")]
        assert len(lines) == 1, done.err
        assert lines[0].startswith("gazecheck: ")
        assert list(store.rglob(".staging-*")) == []
        return lines[0].removeprefix("gazecheck: ")

    return run


def weights_of(path, n_classes=2, **changes):
    state = {**build_module("gazecheck/small_cnn", n_classes, seed=0).state_dict(), **changes}
    save_file(state, path)
    return ("--set", "classifier.source=file", "--set", f"classifier.weights={path}")


def votes_of(tmp_path, rows, answer):
    path = tmp_path / "votes.csv"
    write_votes(VoteTable.of(Vote(row=r, annotator="ana", answer=answer) for r in rows), path)
    return ("--votes", str(path))


def test_no_answers(refused):
    assert refused("run") == (
        "there are no answers yet; give --votes FILE, --simulate for a benchmark's true regions, "
        "or put the queries to people on the site"
    )


@pytest.mark.parametrize("answer", [Answer.YES, Answer.NO])
def test_answers_of_one_kind_only(refused, tmp_path, answer):
    said = refused("run", *votes_of(tmp_path, range(8), answer))

    assert re.search(f"all 8 .* were answered '{answer}'.*; ask more images", said)


def test_answers_that_tell_nothing(refused, tmp_path):
    said = refused("run", *votes_of(tmp_path, range(8), Answer.CANNOT_TELL))

    assert re.search("no answer of yes or no .*; collect answers", said)


def test_answers_for_images_that_are_not_there(refused, tmp_path):
    said = refused("run", *votes_of(tmp_path, [3, 4000], Answer.YES))

    assert "4000" in said


def test_a_file_of_answers_that_is_not_there(refused):
    assert refused("run", "--votes", "absent.csv") == (
        "no votes at absent.csv; give a CSV or Parquet file"
    )


def test_answers_of_one_kind_in_one_class_are_no_error_but_a_warning(tiny_run):
    warnings = tiny_run.result["warnings"]

    assert any(re.search("all . labelled images of this class were answered", w) for w in warnings)


@pytest.mark.slow
def test_a_subset_larger_than_what_is_kept(gazecheck, tiny_run, own_store):
    done = gazecheck(
        "subset", *tiny_run.arguments, "--store", str(own_store),
        "--set", "subset.size=1000",
    )  # fmt: skip

    assert done.code == 1
    assert "1000" in done.err.splitlines()[-1]
    assert re.search(r"\b\d+ .*kept|kept.* \d+", done.err.splitlines()[-1])
    assert list(own_store.rglob(".staging-*")) == []


def test_a_layer_that_does_not_exist(refused):
    said = refused("classifier", "--set", "classifier.target_layer=layr9")

    assert "layr9" in said


def test_a_pickled_module(refused, tmp_path):
    path = tmp_path / "model.pt"
    torch.save(build_module("gazecheck/small_cnn", 2, seed=0), path)

    said = refused(
        "classifier", "--set", "classifier.source=file", "--set", f"classifier.weights={path}"
    )

    assert "model.pt" in said
    assert "state_dict" in said


def test_a_bare_pickle_is_never_opened(refused, tmp_path):
    path, opened = tmp_path / "model.pth", tmp_path / "opened"

    class Trap:
        def __reduce__(self):
            return (open, (str(opened), "w"))

    path.write_bytes(pickle.dumps(Trap()))

    said = refused(
        "classifier", "--set", "classifier.source=file", "--set", f"classifier.weights={path}"
    )

    assert "model.pth" in said
    assert not opened.exists()


def test_weights_of_another_architecture(refused, tmp_path):
    said = refused(
        "classifier", *weights_of(tmp_path / "w.safetensors"),
        "--set", "classifier.architecture=torchvision/resnet18",
    )  # fmt: skip

    assert "torchvision/resnet18" in said
    assert "conv1.weight" in said


def test_weights_for_another_number_of_classes(refused, tmp_path):
    said = refused("classifier", *weights_of(tmp_path / "w.safetensors", n_classes=3))

    assert "3" in said
    assert "2" in said
    assert "class" in said


def test_weights_that_are_not_there(refused):
    said = refused(
        "classifier", "--set", "classifier.source=file", "--set", "classifier.weights=absent.pt"
    )

    assert said == "no weights at absent.pt; give a .safetensors file or a plain state dict"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("spreading.gama=1", "unknown setting spreading.gama in .*; did you mean gamma?"),
        ("seed=one", "seed in .* must be of type int, got 'one'"),
        ("classifier.architecture=gazecheck/smal_cnn", "did you mean gazecheck/small_cnn"),
        ("classifier.architecture=timm/resnet1", "unknown architecture .*did you mean"),
        ("device", "a setting is written table.key=value, got 'device'"),
    ],
)
def test_a_setting_that_cannot_be(refused, setting, said):
    assert re.search(said, refused("classifier", "--set", setting))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no data set is named; give --data NAME, or --manifest FILE"),
        (("--manifest", "absent.csv"), "no manifest at absent.csv; give the path of a CSV"),
        (("--data", "no_such"), "no data set 'no_such' in .*gazecheck data build no_such"),
        (("--config", "absent.toml"), "no settings file absent.toml"),
        (("--preset", "papers"), "unknown preset 'papers'; did you mean paper"),
    ],
)
def test_a_run_without_its_data(refused, arguments, said):
    assert re.search(said, refused("run", *arguments, of=()))


def test_wrong_usage_has_another_exit_code(gazecheck):
    assert gazecheck("run", "--no-such-option").code == 2
    assert gazecheck("no-such-command").code == 2


def damaged(tiny_data, tmp_path, change):
    import shutil

    folder = tmp_path / "damaged"
    shutil.copytree(tiny_data.parent, folder)
    lines = (folder / "manifest.csv").read_text().splitlines()
    change(folder, lines)
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return ("--manifest", str(folder / "manifest.csv"))


def replaced(old, new):
    def change(folder, lines):
        lines[1] = lines[1].replace(old, new, 1)

    return change


def one_pixel(folder, lines):
    from PIL import Image

    Image.new("RGB", (1, 1)).save(next(iter(sorted((folder / "images").iterdir()))))


def truncated(folder, lines):
    picture = next(iter(sorted((folder / "images").iterdir())))
    picture.write_bytes(picture.read_bytes()[:-200])


def missing(folder, lines):
    next(iter(sorted((folder / "images").iterdir()))).unlink()


def twice(folder, lines):
    lines.append(lines[1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replaced("train,", "trian,"), "trian.*train"),
        (replaced("images/", "../images/"), r"\.\./images"),
        (one_pixel, "1"),
        (truncated, "test_00000.png"),
        (missing, "test_00000.png"),
        (twice, "train_00000"),
    ],
    ids=["split", "outside", "one pixel", "truncated", "missing", "twice"],
)
def test_a_data_set_that_cannot_be_used(refused, tiny_data, tmp_path, change, said):
    line = refused("manifest", of=damaged(tiny_data, tmp_path, change))

    assert re.search(said, line), line


def test_a_label_outside_the_classes(refused, tiny_data):
    line = refused(
        "manifest", "--set", 'data.classes=["cross", "ring"]', of=("--manifest", str(tiny_data))
    )

    assert "disc" in line
    assert "ring" in line


def test_one_class_only(refused, tiny_data, tmp_path):
    def change(folder, lines):
        lines[1:] = [line for line in lines[1:] if ",disc," not in line]

    line = refused("manifest", of=damaged(tiny_data, tmp_path, change))

    assert "cross" in line
