"""What a web process may import of this package brings none of torch's company."""

import subprocess
import sys

SCRIPT = """
import sys
import engine.labeling.aggregation, engine.labeling.agreement, engine.labeling.dawid_skene
import engine.labeling.influence, engine.labeling.pricing, engine.labeling.ratings
import engine.labeling.comparison, engine.labeling.leaving_out, engine.labeling.runs
import engine.labeling.spreading, engine.labeling.timings
heavy = {"torch", "sklearn", "umap", "pandas", "numba", "timm", "captum"}
print(sorted(heavy & set(sys.modules)))
"""


def test_ranking_agreement_and_aggregation_are_light():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
