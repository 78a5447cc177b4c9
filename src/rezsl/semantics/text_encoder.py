"""Vectors of attribute names and of other texts from a text encoder of the transformers library."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError, DataError, name_some, needs
from rezsl.files import check_source
from rezsl.semantics.word_vectors import text_of
from rezsl.weights import SAFE_FILES, bytes_of_weights, cached_file, check_layers, check_network_size

_KINDS = (
    "albert", "bart", "bert", "big_bird", "chinese_clip", "clip", "clip_text_model", "data2vec-text", "deberta",
    "deberta-v2", "distilbert", "electra", "ernie", "funnel", "gemma", "gemma2", "gemma3_text", "gpt2", "llama",
    "longformer", "mbart", "mistral", "mobilebert", "modernbert", "mpnet", "mt5", "nystromformer", "opt", "qwen2",
    "qwen3", "rembert", "roberta", "roformer", "siglip", "siglip2", "siglip2_text_model", "siglip_text_model",
    "squeezebert", "t5", "umt5", "xlm-roberta", "xlm-roberta-xl", "xlnet",
)  # fmt: skip
# Other types of transformers may fetch a second model from an address in the file, or run code that comes with it.

_LAYERS = re.compile(r"(hidden_layers|num_layers|n_layers?|(en|de)coder_layers|block_sizes|hidden_groups|group_num)$")
"""The numbers of layers in configurations of transformers."""

_BATCH = 32
_LONGEST_NAME = 512  # in tokens, if neither model nor tokenizer has a limit
# Text towers without their image towers; the automatic choice of transformers supports only the first.
_TEXT_TOWERS = {
    "clip_text_model": "CLIPTextModel",
    "siglip_text_model": "SiglipTextModel",
    "siglip2_text_model": "Siglip2TextModel",
}


def encode_words(source: str | Path, attributes: Sequence[str]) -> Float[Tensor, "S L"]:
    """Compute a vector for every attribute by a text encoder on the CPU, ``[S, L]``, float32.

    For CLIP and SigLIP the vectors are the pooled features, in the joint space of texts and images if the model has
    one. For other encoders they are the mean of the last hidden states over the tokens of the name.

    Args:
        source: directory of a model with its tokenizer, or the id of a model that is already in the local cache of the
            hub. Nothing is downloaded. Only weights in safetensors are read, because other formats can run programs.
        attributes: S names; the encoder receives them as plain words ("wing color blue" for ``has_wing_color::blue``).

    Raises:
        ArgumentError: there are no attributes, or the source is a path without a folder.
        DataError: the model, its tokenizer or its weights in safetensors are missing, or it is not a text encoder.
    """
    if not attributes:
        raise ArgumentError("attributes: expected at least one name, got none; give one")
    return encode_texts(source, [text_of(name) for name in attributes])


def encode_texts(source: str | Path, texts: Sequence[str]) -> Float[Tensor, "N L"]:
    """Compute a vector for each of N texts, at least one, as :func:`encode_words` does for names, ``[N, L]``."""
    tokenizer, model = _load(str(source))
    starts = range(0, len(texts), _BATCH)
    with torch.inference_mode():
        vectors = [_encode(model, _tokens(tokenizer, model, list(texts[start : start + _BATCH]))) for start in starts]
    # A copy made outside inference mode is an ordinary tensor, with which a model can be trained.
    result = torch.cat(vectors).float().clone()
    if not result.isfinite().all():
        raise DataError(f"source: expected finite vectors from {source}, got others; copy its weights again")
    return result


def _load(source: str) -> tuple[Any, Any]:
    source = check_source(
        source, "a text encoder, its tokenizer and its weights", "sentence-transformers/all-MiniLM-L6-v2"
    )
    with needs("images", "text encoders"):
        import transformers  # noqa: PLC0415 - the import takes seconds, and only this function uses it

    try:
        content, _ = transformers.PretrainedConfig.get_config_dict(source, local_files_only=True)
        kind = _known_kind(content)
        own = {"local_files_only": True, "trust_remote_code": False}
        tower = getattr(transformers, _TEXT_TOWERS.get(kind, "AutoModel"))
        _check_size(source, content, tower)
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, **own)
        model, report = tower.from_pretrained(source, use_safetensors=True, output_loading_info=True, **own)
    except DataError:
        raise
    # For missing or damaged files transformers raises almost any exception (OSError, ValueError, KeyError, …).
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        problem = f"a text encoder with its tokenizer and weights in safetensors in {source} ({reason})"
        if not Path(source).is_dir():
            problem = (
                f"a directory or a model in the local cache, with its tokenizer and weights in safetensors, got "
                f"{source!r}; download it on a machine with a network, or give a directory"
            )
        raise DataError(f"source: expected {problem}") from error
    # Checkpoints of language models often lack the pooler, which is not used here, so only its weights may be missing.
    lost = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    if lost:
        raise DataError(
            f"source: expected all weights of the encoder in {source}, found none for {name_some(lost)}"
            "; give a folder with all of them"
        )
    return tokenizer, model.eval()


def _known_kind(content: dict[str, Any]) -> str:
    """Return the type of a text encoder, from a configuration that asks for nothing but that encoder."""
    kind = content.get("model_type")
    if kind not in _KINDS:
        raise ValueError(f"its config.json has the model_type {str(kind)[:60]!r}, expected one of {', '.join(_KINDS)}")
    for name, value in content.items():
        if name == "quantization_config" or ("attn_implementation" in name and "/" in str(value)):
            raise ValueError(f"its config.json asks for other code by {name!r}")
    return str(kind)


def _check_size(source: str, content: dict[str, Any], tower: Any) -> None:
    """Refuse weights that lead elsewhere, and a description of more numbers than they have, before it takes memory.

    Args:
        source: a directory, or the id of a model in the local cache.
        content: its configuration.
        tower: the class of transformers that makes the encoder.
    """
    from transformers import AutoConfig  # noqa: PLC0415 - see above

    check_layers(_numbers_of_layers(content), DataError, f"{source}/config.json")
    path = next((path for name in SAFE_FILES if (path := cached_file(source, name))), None)
    if path is None:
        return  # the loading says what is missing
    stored = bytes_of_weights(path, lambda name: cached_file(source, name), DataError)

    def made() -> list[Any]:
        if hasattr(tower, "from_config"):
            config = AutoConfig.from_pretrained(source, local_files_only=True, trust_remote_code=False)
            return [tower.from_config(config, trust_remote_code=False)]
        return [tower(tower.config_class.from_pretrained(source, local_files_only=True))]

    check_network_size(made, stored, path, DataError)


def _numbers_of_layers(content: dict[str, Any], place: str = "") -> dict[str, Any]:
    """Return the numbers of layers of a configuration and of its parts, by their places."""
    found = {f"{place}{name}": value for name, value in content.items() if _LAYERS.search(name)}
    for name, part in content.items():
        if isinstance(part, dict):
            found |= _numbers_of_layers(part, f"{place}{name}.")
    return found


def _tokens(tokenizer: Any, model: Any, texts: list[str]) -> Any:
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    # SigLIP was trained with texts that are padded to full length, without a mask.
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


def _encode(model: Any, tokens: Any) -> Any:
    if hasattr(model, "get_text_features"):
        features = model.get_text_features(**tokens)
        return features if isinstance(features, Tensor) else features.pooler_output
    output = (model.get_encoder() if model.config.is_encoder_decoder else model)(**tokens)
    if model.config.model_type in _TEXT_TOWERS:
        return output.pooler_output
    states = output.last_hidden_state
    weights = tokens["attention_mask"].unsqueeze(2).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)
