"""Fit the last layer anew: logistic regression on the frozen network's standardised features.

Features are the globally averaged activations of the last convolution, standardised by mean and
deviation of the *fitted* rows (SLIM's code takes those of all of val; DFR's of train). One fit is
enough: SLIM refits 10 to 20 times on the same rows, which changes nothing but rounding.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int, Int64
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from engine.errors import InvalidInput, NotEnoughLabels, UnknownOption
from engine.evaluation.predictions import Predictions
from engine.training.regularisation import RULES, RegularisationChoice

PENALTIES = ("l2", "l1")
ITERATIONS = (1_000, 10_000, 100_000)
_CHUNK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLayerConfig:
    """How a last layer is fitted, and how its regularisation is chosen.

    Attributes:
        c_grid: Inverse strengths C to choose from, above 0; the smallest regularises most.
        class_balanced: Weigh the rows so that every class weighs the same.
        penalty: "l2" (L-BFGS), or "l1" (liblinear, as in DFR and SLIM_Val; it also penalises the
            intercept, and more than two classes are fitted one against the rest).
        folds: Folds of a cross-validation inside the fitted rows.
        rule: "best" takes the C of the highest plain average; "one_standard_error" the strongest
            regularisation within one standard error of it. Ties go to the stronger one.
        tolerance: Where the solver stops (largest gradient entry).
    """

    c_grid: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    class_balanced: bool = True
    penalty: str = "l2"
    folds: int = 5
    rule: str = "best"
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if not self.c_grid:
            raise InvalidInput("the grid of C is empty; give at least one C above 0, e.g. 0.01")
        if bad := [C for C in self.c_grid if not 0 < C < float("inf")]:
            raise InvalidInput(f"every C must lie above 0, got {bad[0]}; e.g. 0.01")
        if self.penalty not in PENALTIES:
            raise UnknownOption.of("penalty", self.penalty, PENALTIES)
        if self.rule not in RULES:
            raise UnknownOption.of("rule for C", self.rule, RULES)
        if self.folds < 2:
            raise InvalidInput(f"folds must be at least 2, got {self.folds}")
        if self.tolerance <= 0:
            raise InvalidInput(f"tolerance must lie above 0, got {self.tolerance}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """A fitted last layer; `engine.models.transplant.fold_head` puts it into a network.

    Attributes:
        coef: Coefficients on standardised features; k = 1 for two classes, else one row a class.
        intercept: One per row of `coef`.
        mean: Mean of each feature over the fitted rows.
        std: Deviation of each feature over them, 1 where a feature is constant.
        C: Inverse strength of the regularisation.
        n_classes: How many classes it tells apart.
        choice: How C was chosen; None for a fit with a given C.
    """

    coef: Float64[np.ndarray, "k d"]
    intercept: Float64[np.ndarray, " k"]
    mean: Float64[np.ndarray, " d"]
    std: Float64[np.ndarray, " d"]
    C: float
    n_classes: int
    choice: RegularisationChoice | None = None

    def decision_function(self, features: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, "n k"]:
        """Give the linear model's raw scores; one column for two classes, above 0 for the second.

        Args:
            features: Raw features, not standardised.

        Returns:
            The scores.
        """
        scores = np.empty((len(features), len(self.coef)))
        for start in range(0, len(features), _CHUNK):
            z = (features[start : start + _CHUNK].astype(np.float64) - self.mean) / self.std
            scores[start : start + _CHUNK] = z @ self.coef.T + self.intercept
        return scores

    def logits(self, features: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, "n c"]:
        """Give one logit a class, as the folded layer does: -s/2 and +s/2 for two classes.

        Args:
            features: Raw features, not standardised.

        Returns:
            The logits.
        """
        scores = self.decision_function(features)
        return np.concatenate([-scores / 2, scores / 2], axis=1) if len(self.coef) == 1 else scores

    def predict(
        self,
        features: Float[np.ndarray, "n d"],
        labels: Int[np.ndarray, " n"],
        rows: Int[np.ndarray, " m"],
    ) -> Predictions:
        """Predict some rows of a data set.

        Args:
            features: Raw features of all rows of the manifest.
            labels: True classes of all rows.
            rows: The rows to predict.

        Returns:
            The predictions, in the order of `rows`.
        """
        logits = self.logits(features[rows]).astype(np.float32)
        return Predictions(rows=rows, logits=logits, labels=labels[rows])


def fit_head(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    config: LastLayerConfig,
    C: float,
    *,
    class_names: Sequence[str] = (),
    weights: Float[np.ndarray, " n"] | None = None,
) -> Head:
    """Fit a last layer with a given C on all the rows that are given.

    Args:
        features: Raw features of the rows to fit.
        labels: Their classes.
        config: Penalty, class balance, tolerance; its grid is not read.
        C: Inverse strength of the regularisation, above 0.
        class_names: All classes; each needs a row. Without names the classes are 0 … max(labels).
        weights: How much each row counts in the loss, at least 0, on top of what balances the
            classes; standardisation does not read them. None: all 1.

    Returns:
        The head, the same for the same rows in any order up to the solver's tolerance.

    Raises:
        NotEnoughLabels: There are no rows, one class only, or a class has none.
        InvalidInput: A feature is not finite.
    """
    n_classes = len(class_names) or int(labels.max(initial=-1)) + 1
    require_every_class(labels, n_classes, class_names)
    if not np.isfinite(features).all():
        raise InvalidInput("features to fit hold NaN or infinite values; extract them again")
    z, mean, std = standardised(features)
    coef, intercept = _fit_coefficients(z, labels, config, C, weights)
    return Head(coef=coef, intercept=intercept, mean=mean, std=std, C=float(C), n_classes=n_classes)


def standardised(
    features: Float[np.ndarray, "n d"],
) -> tuple[Float64[np.ndarray, "n d"], Float64[np.ndarray, " d"], Float64[np.ndarray, " d"]]:
    """Shift and scale every feature to mean 0 and deviation 1; a constant one is only shifted.

    Args:
        features: Raw features.

    Returns:
        The standardised features, their means, and their deviations (1 where constant).
    """
    exact = features.astype(np.float64)
    scaler = StandardScaler(copy=False).fit(exact)
    return (
        np.asarray(scaler.transform(exact), dtype=np.float64),  # in place: one copy is enough
        np.asarray(scaler.mean_, dtype=np.float64),
        np.asarray(scaler.scale_, dtype=np.float64),
    )


def require_every_class(
    labels: Int[np.ndarray, " n"], n_classes: int, class_names: Sequence[str] = ()
) -> None:
    """Refuse rows from which not every class can be learnt.

    Args:
        labels: Classes of the rows to fit.
        n_classes: How many classes there are.
        class_names: Their names, for the message.

    Raises:
        NotEnoughLabels: There are no rows, one class only, or a class has none.
    """
    way_out = "draw a larger subset, or keep at least a share of every class when screening"
    counts = np.bincount(labels, minlength=n_classes)
    names = [class_names[c] if c < len(class_names) else f"class {c}" for c in range(len(counts))]
    present = [name for name, count in zip(names, counts, strict=True) if count]
    absent = [name for name, count in zip(names, counts, strict=True) if not count]
    if not present:
        raise NotEnoughLabels(f"there are 0 rows to fit a last layer on; {way_out}")
    if len(present) == 1:
        raise NotEnoughLabels(
            f"all {len(labels)} rows to fit are of one class, {present[0]}; a last layer needs at "
            f"least two: {way_out}"
        )
    if absent:
        raise NotEnoughLabels(
            f"no row to fit is of class {', '.join(absent)}; the head could never predict it: "
            f"{way_out}"
        )


def _fit_coefficients(
    z: Float64[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    config: LastLayerConfig,
    C: float,
    weights: Float[np.ndarray, " n"] | None = None,
) -> tuple[Float64[np.ndarray, "k d"], Float64[np.ndarray, " k"]]:
    """Coefficients and intercepts; k = 1 for two classes."""
    classes = np.unique(labels)
    if config.penalty == "l1" and len(classes) > 2:
        parts = [_solve(z, (labels == c).astype(np.int64), config, C, weights) for c in classes]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    return _solve(z, labels.astype(np.int64), config, C, weights)


def _solve(
    z: Float64[np.ndarray, "n d"],
    labels: Int64[np.ndarray, " n"],
    config: LastLayerConfig,
    C: float,
    weights: Float[np.ndarray, " n"] | None = None,
) -> tuple[Float64[np.ndarray, "k d"], Float64[np.ndarray, " k"]]:
    """Solve with more and more iterations until the solver says it has converged.

    After the last attempt the solution is taken as it is: it is the same on every run, and close.
    """
    options: dict[str, object] = {"C": C, "tol": config.tolerance}
    if config.class_balanced:
        options["class_weight"] = "balanced"
    if config.penalty == "l1":
        # scikit-learn 1.8 dropped penalty="l1"; liblinear's coordinate order needs a seed
        options |= {"l1_ratio": 1.0, "solver": "liblinear", "random_state": 0}
    for iterations in ITERATIONS:
        model = LogisticRegression(max_iter=iterations, **options)
        with warnings.catch_warnings():
            last = iterations == ITERATIONS[-1]
            warnings.simplefilter("ignore" if last else "error", ConvergenceWarning)
            try:
                # the solver multiplies by one vector at a time: more threads only wait for another
                with threadpool_limits(limits=1, user_api="blas"):
                    model.fit(z, labels, sample_weight=weights)
            except ConvergenceWarning:
                continue
        return model.coef_.astype(np.float64), model.intercept_.astype(np.float64)
    raise AssertionError("the last attempt ignores the warning, so it returns")
