from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    PreTrainedTokenizerFast,
    SiglipTextConfig,
    SiglipTextModel,
    T5Config,
    T5Model,
)

from rezsl.errors import ArgumentError, DataError
from rezsl.semantics import ClassSemantics, encode_words

VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] wing color blue fur ##ry tail".split()  # noqa: SIM905
ATTRIBUTES = ("has_wing_color::blue", "furry", "tail")
TOKENS = ([2, 5, 6, 7, 3], [2, 8, 9, 3], [2, 10, 3])
SMALL: dict[str, Any] = {
    "vocab_size": 11,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 16,
}


def write_tokenizer(folder: Path) -> Path:
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=16).save_pretrained(folder)
    return folder


@pytest.fixture
def bert(tmp_path: Path) -> tuple[Path, BertModel]:
    torch.manual_seed(0)
    model = BertModel(BertConfig(**SMALL)).eval()
    model.save_pretrained(tmp_path)
    return write_tokenizer(tmp_path), model


@torch.no_grad()
def test_a_language_model_gives_the_mean_over_each_names_own_tokens(bert: tuple[Path, BertModel]) -> None:
    folder, model = bert
    vectors = encode_words(folder, ATTRIBUTES)
    alone = [model(torch.tensor([tokens])).last_hidden_state[0].mean(dim=0) for tokens in TOKENS]
    torch.testing.assert_close(vectors, torch.stack(alone), rtol=1e-5, atol=1e-6)
    assert encode_words(str(folder), ATTRIBUTES * 15).shape == (45, 8)


def test_the_vectors_belong_to_a_table_and_can_be_trained_on(bert: tuple[Path, BertModel]) -> None:
    vectors = encode_words(bert[0], ATTRIBUTES)
    table = ClassSemantics(("a",), ATTRIBUTES, torch.ones(1, 3)).with_word_vectors(vectors)
    weight = torch.ones(8, requires_grad=True)
    (table.query_vectors @ weight).sum().backward()
    torch.testing.assert_close(weight.grad, vectors.sum(dim=0))


@torch.no_grad()
def test_text_towers_give_their_pooled_features(tmp_path: Path) -> None:
    """CLIP pools at the end token, SigLIP at the last position of texts padded to full length."""
    write_tokenizer(tmp_path)
    torch.manual_seed(0)
    ends: dict[str, Any] = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    clip = CLIPTextModel(CLIPTextConfig(**SMALL, **ends)).eval()
    clip.save_pretrained(tmp_path)
    alone = [clip(torch.tensor([tokens])).pooler_output for tokens in TOKENS]
    torch.testing.assert_close(encode_words(tmp_path, ATTRIBUTES), torch.cat(alone), rtol=1e-5, atol=1e-6)

    siglip = SiglipTextModel(SiglipTextConfig(**SMALL, projection_size=8, **ends)).eval()
    siglip.save_pretrained(tmp_path)
    padded = torch.tensor([tokens + [0] * (16 - len(tokens)) for tokens in TOKENS])
    torch.testing.assert_close(encode_words(tmp_path, ATTRIBUTES), siglip(padded).pooler_output, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_a_whole_clip_gives_vectors_in_the_space_of_its_images(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    torch.manual_seed(0)
    vision = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 8, "patch_size": 4}
    text = {**SMALL, "eos_token_id": 3, "pad_token_id": 0}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=6)).eval()
    model.save_pretrained(tmp_path)
    pooled = [model.text_projection(model.text_model(torch.tensor([tokens])).pooler_output) for tokens in TOKENS]
    torch.testing.assert_close(encode_words(tmp_path, ATTRIBUTES), torch.cat(pooled), rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_of_an_encoder_with_a_decoder_the_encoder_is_used(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vocab_size": 4, "d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    model = T5Model(T5Config(**sizes)).eval()
    model.save_pretrained(tmp_path)
    words = Tokenizer(WordLevel({"</s>": 0, "<unk>": 1, "fur": 2, "tail": 3}, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    # There is no padding token, as in language models that only continue text.
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>", unk_token="<unk>").save_pretrained(tmp_path)
    expected = [model.encoder(torch.tensor([tokens])).last_hidden_state.mean(dim=1) for tokens in ([2], [2, 3])]
    torch.testing.assert_close(encode_words(tmp_path, ["fur", "fur tail"]), torch.cat(expected), rtol=1e-5, atol=1e-6)


def test_weights_that_are_not_safe_or_not_there_are_refused(bert: tuple[Path, BertModel]) -> None:
    folder, model = bert
    state = model.state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(
        DataError, match="source: expected a text encoder with its tokenizer and weights in safetensors"
    ):
        encode_words(folder, ATTRIBUTES)
    kept = {name: value for name, value in state.items() if "query" not in name}
    model.save_pretrained(folder, state_dict=kept)
    with pytest.raises(
        DataError, match=r"expected all weights of the encoder in .*, found none for 'encoder\.layer\.0\.att"
    ):
        encode_words(folder, ATTRIBUTES)
    model.save_pretrained(folder, state_dict={name: torch.nan * value for name, value in state.items()})
    with pytest.raises(DataError, match=r"source: expected finite vectors from .*, got others; copy its weights again"):
        encode_words(folder, ATTRIBUTES)


def test_a_missing_model_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="source: expected a directory or a model in the local cache, with its tokenizer"
    ) as caught:
        encode_words("no-such/model", ATTRIBUTES)
    assert str(caught.value).endswith(
        "got 'no-such/model'; download it on a machine with a network, or give a directory"
    )
    with pytest.raises(
        DataError, match="source: expected a text encoder with its tokenizer and weights in safetensors"
    ):
        encode_words(tmp_path, ATTRIBUTES)
    with pytest.raises(ArgumentError, match="attributes: expected at least one name, got none"):
        encode_words(tmp_path, [])
