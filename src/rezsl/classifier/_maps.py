"""Maps of a trained model: which cells of an image the prediction of each attribute comes from."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor, nn

from rezsl.classifier._classifier import ZeroShotClassifier
from rezsl.errors import ArgumentError, check_choice
from rezsl.functional.maps import gradient_map
from rezsl.models import HasAttention
from rezsl.regions import ImageBackbone

MapKind = Literal["attention", "gradient"]


class AttributeMaps(NamedTuple):
    """Maps of K attributes of each image of a batch.

    Attributes:
        kind: ``attention`` or ``gradient``.
        maps: a number for each cell of the image, ``[B, K, side, side]``. A map of attention has weights, which sum to
            1 less the weight in ``elsewhere``. A map of the gradient shows how much more a cell raises the predicted
            attribute than the average cell does; it has negative cells.
        elsewhere: the same of regions that have no place in the image (class tokens), summed, ``[B, K]``.
    """

    kind: MapKind
    maps: Float[Tensor, "B K side side"]
    elsewhere: Float[Tensor, "B K"]


def attribute_maps(
    model: ZeroShotClassifier,
    images: Num[Tensor, "B channels height width"],
    columns: Int[Tensor, "B K"],
    kind: MapKind = "gradient",
) -> AttributeMaps:
    """Return where in each image the model finds attributes.

    Args:
        model: a trained classifier with a backbone of images; it is used in evaluation mode, and its mode is restored.
        images: as ``model.input_format`` reads them.
        columns: positions of the attributes to map, for each image.
        kind: ``attention``, of a model that has it, or ``gradient``, of every model, see
            :func:`rezsl.functional.maps.gradient_map`. The gradient is taken at the last feature map of a convolutional
            network that has at least twice as many cells on a side as its output, and at the output of other networks.

    Raises:
        ArgumentError: maps of attention are asked of a model without attention, or the model has no backbone of images.
    """
    backbone, network = model.backbone, model.network
    if not isinstance(backbone, ImageBackbone):
        raise ArgumentError(
            f"model: expected one with a backbone of images, got {type(backbone).__name__}"
            "; give a model that was trained on images"
        )
    # The class is tested, because an instance may have a layer of the name ``attention``.
    has_attention = issubclass(type(network), HasAttention)
    check_choice(MapKind, kind=kind)
    if kind == "attention" and not has_attention:
        raise ArgumentError(
            f"kind: expected gradient for {type(network).__name__}, which has no attention, got attention; ask for "
            "gradient"
        )
    was_training = model.training
    model.eval()
    try:
        if kind == "attention":
            assert isinstance(network, HasAttention)
            with torch.no_grad():
                attention = network.attention(backbone(images))
            values = attention.gather(1, columns[:, :, None].expand(-1, -1, attention.shape[2]))
        else:
            with torch.inference_mode(mode=False), torch.enable_grad(), _kept_regions(backbone.network) as kept:
                # Copies, because tensors that were made in inference mode cannot have gradients.
                outputs = model.network.attributes_of(model(images.clone())).gather(1, columns.clone())
                values = gradient_map(outputs, _regions_of_twice_the_side(kept))
    finally:
        model.train(was_training)
    before, side = backbone.grid(values.shape[2])
    maps = values[:, :, before:].unflatten(2, (side, side))
    return AttributeMaps(kind, maps, values[:, :, :before].sum(dim=2))


@contextmanager
def _kept_regions(network: nn.Module) -> Iterator[dict[int, Tensor]]:
    """Inside the block, keep the last feature map of each size, as regions from which the rest is computed.

    The output comes last. Feature maps are the outputs of the members of module lists, which are stages and blocks: the
    outputs of layers inside a block lack what a shortcut carries around them.
    """
    kept: dict[int, Tensor] = {}

    def keep(last: Tensor) -> Tensor:
        regions = last.flatten(2).mT if last.ndim == 4 else last
        if not regions.requires_grad:
            regions = regions.detach().requires_grad_()
        kept.pop(regions.shape[1], None)
        kept[regions.shape[1]] = regions
        return regions.mT.unflatten(2, last.shape[2:]) if last.ndim == 4 else regions

    def keep_block(module: nn.Module, arguments: Any, output: Any) -> Tensor | None:
        return keep(output) if isinstance(output, Tensor) and output.ndim == 4 else None

    def keep_output(module: nn.Module, arguments: Any, output: Any) -> None:
        output.last_hidden_state = keep(output.last_hidden_state)

    lists = [module for module in network.modules() if isinstance(module, nn.ModuleList)]
    handles = [member.register_forward_hook(keep_block) for members in lists for member in members]
    handles.append(network.register_forward_hook(keep_output))
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


def _regions_of_twice_the_side(kept: dict[int, Tensor]) -> Tensor:
    """Return the last regions of at least twice the output's side, or the output's where there are none."""
    *earlier, output = kept.values()
    larger = [regions for regions in earlier if regions.shape[1] >= 4 * output.shape[1]]
    return larger[-1] if larger else output
