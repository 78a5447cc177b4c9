"""The names of the shapes that appear in the signatures of rezsl.

B samples, C classes, K classes present, S attributes, E numbers that a model computes for an image, V numbers that it
reads of a class, R image regions, D channels, L word-vector length.
"""

from typing import Literal

from jaxtyping import Bool, Float, Int
from torch import Tensor

Regions = Float[Tensor, "B R D"]
Pooled = Float[Tensor, "B *regions D"]
Outputs = Float[Tensor, "B E"]
Predictions = Float[Tensor, "B S"]
ClassMatrix = Float[Tensor, "C S"]
ClassVectors = Float[Tensor, "C V"]
Labels = Int[Tensor, "B"]
ClassMask = Bool[Tensor, "C"]
Scores = Float[Tensor, "B C"]
Scalar = Float[Tensor, ""]
Protocol = Literal["honest", "oracle"]
