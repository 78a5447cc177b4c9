"""Vectors of attribute names from a text encoder of transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError, DataError, name_some
from rezsl.semantics._word_names import text_of

_BATCH = 32
_LONGEST_NAME = 512  # tokens; where neither model nor tokenizer has a limit
# Text towers saved on their own; transformers' automatic choice knows only the first.
_TEXT_TOWERS = {
    "clip_text_model": "CLIPTextModel",
    "siglip_text_model": "SiglipTextModel",
    "siglip2_text_model": "Siglip2TextModel",
}


def encode_words(source: str | Path, attributes: Sequence[str]) -> Float[Tensor, "S L"]:
    """A vector for every attribute from a text encoder, on the CPU.

    Encoders of CLIP's and SigLIP's kind give their pooled features, in the space of the images where the model has
    it; others give the mean of their last hidden states over the tokens of the name.

    Args:
        source: directory of a model with its tokenizer, or the id of one on the hub that is in the local cache already.
            Nothing is downloaded. Only weights in safetensors are read, for others can run programs.
        attributes: S names, written as plain words for the encoder (``has_wing_color::blue``: "wing color blue").

    Raises:
        ArgumentError: no attributes.
        DataError: no such model at hand, no weights in safetensors, no tokenizer, no text encoder.
    """
    texts = [text_of(name) for name in attributes]
    if not texts:
        raise ArgumentError("attributes: expected at least one name, got none")
    tokenizer, model = _load(str(source))
    starts = range(0, len(texts), _BATCH)
    with torch.inference_mode():
        vectors = [_encode(model, _tokens(tokenizer, model, texts[start : start + _BATCH])) for start in starts]
    # Outside inference mode a copy is an ordinary tensor, that a model can be trained with.
    result = torch.cat(vectors).float().clone()
    if not result.isfinite().all():
        raise DataError(f"source: expected finite vectors from {source}, got others; its weights may be damaged")
    return result


def _load(source: str) -> tuple[Any, Any]:
    import transformers  # noqa: PLC0415 - seconds of import for this only

    try:
        kind = transformers.AutoConfig.from_pretrained(source, local_files_only=True).model_type
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, local_files_only=True)
        model, report = getattr(transformers, _TEXT_TOWERS.get(kind, "AutoModel")).from_pretrained(
            source, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    # What is missing or damaged makes transformers raise almost anything (OSError, ValueError, KeyError, …).
    except Exception as error:
        if Path(source).is_dir():
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            expected = f"expected a text encoder with its tokenizer and weights in safetensors in {source} ({reason})"
        else:
            expected = (
                f"{source!r} is not in the local cache, with its tokenizer and weights in safetensors; "
                "download it where there is a network, or give a directory"
            )
        raise DataError(f"source: {expected}") from error
    # Checkpoints of language models often lack the pooler, which is not used here; it alone may be random.
    lost = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    if lost:
        raise DataError(f"source: expected all weights of the encoder in {source}, found none for {name_some(lost)}")
    return tokenizer, model.eval()


def _tokens(tokenizer: Any, model: Any, texts: list[str]) -> Any:
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    # SigLIP was trained on texts padded to full length without a mask.
    full_length = model.config.model_type.startswith("siglip")
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", _LONGEST_NAME)
    return tokenizer(
        texts,
        padding="max_length" if full_length else True,
        truncation=True,
        max_length=min(positions, tokenizer.model_max_length, _LONGEST_NAME),
        return_tensors="pt",
        return_attention_mask=not full_length,
    )


def _encode(model: Any, tokens: Any) -> Float[Tensor, "S L"]:
    pooled: Tensor
    if hasattr(model, "get_text_features"):
        features = model.get_text_features(**tokens)
        pooled = features if isinstance(features, Tensor) else features.pooler_output
        return pooled
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    output = encoder(**tokens)
    if model.config.model_type in _TEXT_TOWERS:
        pooled = output.pooler_output
        return pooled
    return _mean(output.last_hidden_state, tokens["attention_mask"])


def _mean(states: Float[Tensor, "S T L"], mask: Int[Tensor, "S T"]) -> Float[Tensor, "S L"]:
    weights = mask.unsqueeze(2).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)
