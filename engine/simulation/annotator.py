"""An annotator who knows the true regions: for benchmarks and rehearsals only.

Nothing that picks queries, spreads answers or curates may import this package; a driver joins the
truth to what the page or the query shows, and passes on the answer alone.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Real
from scipy.ndimage import maximum_filter

from engine.data.resampling import upsample
from engine.errors import InvalidInput
from engine.evaluation.localization import mass_inside
from engine.labeling.votes import Answer

OBJECT_SHARE = 0.3
SPURIOUS_RATIO = 1.5
FLIPPED = {Answer.YES: Answer.NO, Answer.NO: Answer.YES}


def judge(
    grid: Real[np.ndarray, "h w"],
    object_region: Bool[np.ndarray, "H W"] | None,
    spurious_region: Bool[np.ndarray, "I J"] | None,
    tau: float = OBJECT_SHARE,
    *,
    spurious_ratio: float = SPURIOUS_RATIO,
) -> Answer:
    """Answer "does the classifier look at the object?" from the true regions.

    The map is spread bilinearly over the regions' pixels, and its mass counted. For an object: yes
    where at least `tau` of the mass lies inside. For a spurious region: no where its share of the
    mass is more than `spurious_ratio` times its share of the area; the region is widened by half a
    grid cell first, for heat shown at the grid's resolution cannot fill a thin artefact. Where both
    are known, both must allow a yes.

    Args:
        grid: The attention map as shown, not negative, any scale (bytes too).
        object_region: True on the object; None where it is not known.
        spurious_region: True on the artefact, all False where the picture has none; None where it
            is not known. Either may be stored at a size of its own.
        tau: Share of the mass that the object needs, in (0, 1].
        spurious_ratio: How many times its area's share an artefact's mass may have; above 0.

    Returns:
        Yes or no; cannot tell where the map is zero everywhere or neither region is known.

    Raises:
        InvalidInput: The grid holds negative or infinite values or NaN, `tau` or `spurious_ratio`
            is out of range, or the object's region is empty.
    """
    _check(grid, object_region, tau, spurious_ratio)
    known = [region for region in (object_region, spurious_region) if region is not None]
    if not known or not grid.any():
        return Answer.CANNOT_TELL
    if object_region is not None and _mass(grid, object_region) < tau:
        return Answer.NO
    if spurious_region is not None:
        wide = widen(spurious_region, (grid.shape[0], grid.shape[1]))
        if _mass(grid, wide) > spurious_ratio * float(wide.mean()):
            return Answer.NO
    return Answer.YES


def _mass(grid: np.ndarray, region: Bool[np.ndarray, "H W"]) -> float:
    """Give the share of the map in a region, in the region's own pixels: two may be stored apart."""
    height, width = region.shape
    return mass_inside(upsample(grid, (height, width)), region) or 0.0


def widen(region: Bool[np.ndarray, "H W"], grid_shape: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    """Widen a region by half a grid cell on every side.

    Args:
        region: True inside, in pixels.
        grid_shape: Rows and columns of the attention map.

    Returns:
        The widened region; an empty one stays empty.
    """
    half = [round(n / cells / 2) for n, cells in zip(region.shape, grid_shape, strict=True)]
    return np.asarray(maximum_filter(region, size=[2 * r + 1 for r in half], mode="constant"))


def _check(
    grid: Real[np.ndarray, "h w"],
    object_region: Bool[np.ndarray, "H W"] | None,
    tau: float,
    spurious_ratio: float,
) -> None:
    if not np.isfinite(grid).all() or (grid < 0).any():
        raise InvalidInput(
            f"an attention grid must be finite and not negative, got {grid.min()} to {grid.max()}; "
            "clip it at 0 as GradCAM does"
        )
    if not 0 < tau <= 1:
        raise InvalidInput(f"tau must lie above 0 and at most at 1, got {tau}")
    if spurious_ratio <= 0:
        raise InvalidInput(f"spurious_ratio must lie above 0, got {spurious_ratio}")
    if object_region is not None and not object_region.any():
        raise InvalidInput("the object's region is empty; pass None where it is not known")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedAnswer:
    """What a simulated annotator clicked.

    Attributes:
        answer: The answer.
        seconds: From the picture's appearance to the click, above 0.
    """

    answer: Answer
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedAnnotator:
    """Someone who judges by the true regions, slips now and then, and takes time.

    Every answer draws the same number of times from `rng`, so a slip rate changes slips alone.

    Attributes:
        rng: The annotator's own generator.
        slip_rate: How often yes and no are mixed up, in [0, 1]; "cannot tell" never is.
        tau: The share of the mass that the object needs.
        spurious_ratio: As in `judge`.
        median_seconds: Half the answers are quicker.
        spread: Standard deviation of the logarithm of the seconds; 0 for always the median.
    """

    rng: np.random.Generator
    slip_rate: float = 0.0
    tau: float = OBJECT_SHARE
    spurious_ratio: float = SPURIOUS_RATIO
    median_seconds: float = 2.5
    spread: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.slip_rate <= 1:
            raise InvalidInput(f"slip_rate must lie in [0, 1], got {self.slip_rate}")
        if self.median_seconds <= 0 or self.spread < 0:
            raise InvalidInput(
                "median_seconds must lie above 0 and spread at least at 0, got "
                f"{self.median_seconds} and {self.spread}"
            )

    def answer(
        self,
        grid: Real[np.ndarray, "h w"],
        object_region: Bool[np.ndarray, "H W"] | None,
        spurious_region: Bool[np.ndarray, "H W"] | None,
    ) -> SimulatedAnswer:
        """Look at one map and answer.

        Args:
            grid: The attention map as shown.
            object_region: True on the object; None where it is not known.
            spurious_region: True on the artefact; None where it is not known.

        Returns:
            The answer and the seconds it took.
        """
        truth = judge(
            grid, object_region, spurious_region, self.tau, spurious_ratio=self.spurious_ratio
        )
        return self.click(truth)

    def click(self, truth: Answer) -> SimulatedAnswer:
        """Answer what a look at the map has told, or slip.

        Args:
            truth: What `judge` says.

        Returns:
            The answer and the seconds it took.
        """
        slips = self.rng.random() < self.slip_rate
        seconds = self.median_seconds * float(np.exp(self.spread * self.rng.standard_normal()))
        given = FLIPPED.get(truth, truth) if slips else truth
        return SimulatedAnswer(answer=given, seconds=seconds)
