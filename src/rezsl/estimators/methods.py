"""The estimators by the names of their methods: each is a ZeroShotEstimator with another default."""

from rezsl import models
from rezsl.estimators.zero_shot_estimator import ZeroShotEstimator
from rezsl.losses import ALELoss, DeViSELoss, MSELoss, SJELoss
from rezsl.training import Optimization, Training


class ESZSL(ZeroShotEstimator):
    """A bilinear compatibility in closed form, see :class:`rezsl.models.ESZSL`."""

    default_model = models.ESZSL


class SAE(ZeroShotEstimator):
    """A linear autoencoder in closed form whose code is the class semantics, see :class:`rezsl.models.SAE`."""

    default_model = models.SAE


class DAP(ZeroShotEstimator):
    """A probability for each attribute, and from these one for each class, see :class:`rezsl.models.DAP`."""

    default_model = models.DAP


class LinearZSL(ZeroShotEstimator):
    """Attributes by a linear read-out, classes by cosine, see :class:`rezsl.models.LinearRegressor`."""

    default_model = models.LinearRegressor


class MLPZSL(ZeroShotEstimator):
    """Attributes by a network with one hidden layer, classes by cosine, see :class:`rezsl.models.MLPRegressor`."""

    default_model = models.MLPRegressor


class SmoothedZSL(ZeroShotEstimator):
    """Attributes from features smoothed over neighbouring labels (FDS), see :class:`rezsl.models.SmoothedRegressor`."""

    default_model = models.SmoothedRegressor
    default_training = Training(loss=MSELoss())


class ALE(ZeroShotEstimator):
    """A bilinear compatibility under the loss of ALE, see :class:`rezsl.losses.ALELoss`."""

    default_model = models.Bilinear
    default_training = Training(loss=None, classification=ALELoss())


class DeViSE(ZeroShotEstimator):
    """A bilinear compatibility under the loss of DeViSE, see :class:`rezsl.losses.DeViSELoss`."""

    default_model = models.Bilinear
    default_training = Training(loss=None, classification=DeViSELoss())


class SJE(ZeroShotEstimator):
    """A bilinear compatibility under the loss of SJE, see :class:`rezsl.losses.SJELoss`."""

    default_model = models.Bilinear
    default_training = Training(loss=None, classification=SJELoss())


class LATEM(ZeroShotEstimator):
    """Several bilinear compatibilities, of which the best scores each class, see :class:`rezsl.models.LATEM`."""

    default_model = models.LATEM
    default_training = Training(loss=None, optimization=Optimization(learning_rate=1e-3))


class SYNC(ZeroShotEstimator):
    """Classifiers synthesised from those of phantom classes, see :class:`rezsl.models.SYNC`."""

    default_model = models.SYNC
    default_training = Training(loss=None, optimization=Optimization(learning_rate=1e-3))


class CNZSL(ZeroShotEstimator):
    """Prototypes of classes by a network with class normalisation, see :class:`rezsl.models.CNZSL`."""

    default_model = models.CNZSL
    default_training = Training(loss=None)
