import json

import numpy as np
import pytest

from engine.benches.performance import write_page
from engine.benches.pipeline import PipelineBench, _growth, measure_pipeline
from engine.benches.processes import measured_alone, peak_mib
from engine.benches.scaling import ScalingBench, fitted_power, measure_scaling, scaling_figure
from engine.benches.space import SpaceBench, measure_space
from engine.errors import InvalidInput

MACHINE = {"processor": "a processor, 2 cores", "python": "3.11", "torch": "2.14"}
SCALING = {
    "bench": "scaling",
    "command": "gazecheck bench scaling",
    "machine": MACHINE,
    "images": [1000, 10000],
    "target": 1_000_000,
    "parts": {
        "space": {
            "seconds": {"1000": 1.0, "10000": 10.0},
            "peak_mib": {"1000": 300.0, "10000": 400.0},
            "exponent": 1.0,
            "extrapolated": {"1000000": 1000.0},
        }
    },
}


def made_of(n):
    return {"array": len(np.ones(n))}


def test_work_alone_has_its_own_memory_and_time():
    found = measured_alone(made_of, 40_000_000)

    assert found["array"] == 40_000_000
    assert found["peak_mib"] > 300
    assert found["seconds"] > 0
    assert peak_mib() > 10


def test_a_power_is_found_again():
    sizes = [1_000, 10_000, 100_000]

    scale, exponent = fitted_power(sizes, [3e-4 * n**1.25 for n in sizes])

    assert exponent == pytest.approx(1.25)
    assert scale == pytest.approx(3e-4)


def test_growth_is_the_cost_of_an_image_at_the_end_over_that_at_the_start():
    assert _growth((1_000, 10_000), [10.0, 120.0]) == 1.2
    assert _growth((1_000,), [10.0]) is None
    assert _growth((1_000, 2_000), [0.0, 1.0]) is None


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: PipelineBench(sizes=(100,)), "at least 500 pictures"),
        (lambda: PipelineBench(sizes=(2_000, 1_000)), "must rise"),
        (lambda: PipelineBench(rounds=0), "rounds must be at least 1"),
        (lambda: ScalingBench(sizes=(1_000,)), "at least two and rise"),
        (lambda: ScalingBench(parts=("drawing",)), "unknown part 'drawing'"),
        (lambda: SpaceBench(rounds=2), "at least 5"),
        (lambda: SpaceBench(n=10), "at least 500"),
    ],
)
def test_what_cannot_be_measured_is_refused(make, told):
    with pytest.raises(InvalidInput, match=told):
        make()


def test_the_figure_marks_what_is_extrapolated():
    svg = scaling_figure(SCALING)

    assert "space, extrapolated (n^1.00)" in svg
    assert svg.count("stroke-dasharray") == 1
    assert ">1M<" in svg


def test_the_page_shows_figures_with_their_commands(tmp_path):
    site = {
        "bench": "site",
        "command": "manage.py bench_site",
        "machine": {"processor": "p", "python": "3.11"},
        "images": 200_000,
        "answers": 1_000_000,
        "rounds": 20,
        "database": "postgres",
        "pages": {"next": {"queries": 4, "median_ms": 5.0, "p95_ms": 9.0}},
    }
    files = []
    for number, report in enumerate((site, SCALING)):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(report))

    written = write_page(files, tmp_path / "docs" / "performance.md")

    page = written[0].read_text()
    assert "`gazecheck bench scaling` on a processor, 2 cores; Python 3.11, torch 2.14." in page
    assert "| space | 1.00 | 10.00 | n^1.00 | 1000 (extrapolated) | 400 |" in page
    assert "| next | 4 | 5 | 9 |" in page
    assert page.index("How cost grows") < page.index("A large project on the site")
    assert written[1] == tmp_path / "docs" / "images" / "performance" / "scaling.svg"
    assert written[1].read_text().startswith("<svg")


def test_without_figures_the_page_names_the_commands(tmp_path):
    (page,) = write_page([], tmp_path / "p.md")

    words = page.read_text()
    assert "gazecheck bench pipeline --sizes 20000,200000" in words
    assert words.endswith("No figures have been taken yet.\n")


def test_a_file_of_something_else_is_refused(tmp_path):
    file = tmp_path / "x.json"
    file.write_text('{"bench": "cooking"}')
    with pytest.raises(InvalidInput, match="of the bench 'cooking'"):
        write_page([file], tmp_path / "p.md")
    file.write_text("[]")
    with pytest.raises(InvalidInput, match="no JSON file of a bench"):
        write_page([file], tmp_path / "p.md")


@pytest.mark.slow
def test_a_whole_run_is_measured_by_stage(tmp_path):
    found = measure_pipeline(PipelineBench(sizes=(600,), folder=tmp_path))

    figures = found["sizes"]["600"]
    assert {"reading", "extraction", "space", "queries", "scores", "evaluation"} <= set(
        figures["seconds_by_stage"]
    )
    assert figures["peak_mib"] > 100
    assert figures["seconds"] >= sum(figures["seconds_by_stage"].values()) * 0.9
    assert figures["trustworthiness"]["core_put_in"] is None
    assert found["growth"] is None
    assert (tmp_path / "shapes-600-32-0" / "manifest.csv").is_file()


@pytest.mark.slow
def test_parts_are_measured_at_every_size(tmp_path):
    found = measure_scaling(
        ScalingBench(sizes=(500, 1_000), parts=("queries", "spreading"), budget=20)
    )

    assert set(found["parts"]) == {"queries", "spreading"}
    for figures in found["parts"].values():
        assert all(seconds > 0 for seconds in figures["seconds"].values())
        assert figures["extrapolated"]["1000000"] > 0


@pytest.mark.slow
def test_the_space_is_measured_beside_plain_umap():
    found = measure_space(SpaceBench(n=500, dimension=16, large=0))

    assert all(len(turns) == 5 for turns in found["per_round"].values())
    assert found["trustworthiness"]["ours"]["core"] > 0.7
    assert found["ratio_to_umap_learn"] > 0
