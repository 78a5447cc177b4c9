"""A linear regression of semantics as an estimator."""

from rezsl.estimators.regression_estimator import RegressionEstimator
from rezsl.models import LinearRegressor
from rezsl.semantics import ClassSemantics


class LinearZSL(RegressionEstimator):
    """Semantics by a linear read-out, classes by cosine; see :class:`RegressionEstimator` for the parameters."""

    def _network(self, feature_dim: int, semantics: ClassSemantics) -> LinearRegressor:
        return LinearRegressor(feature_dim, semantics)
