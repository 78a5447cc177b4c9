import math
from pathlib import Path

import numpy as np
import pytest
import torch

from rezsl.errors import ArgumentError, DataError
from rezsl.evaluation import Evaluation, analyse, hierarchical_errors, read_class_groups
from rezsl.functional import class_scores
from rezsl.semantics import ClassSemantics
from tests.oracles import measures, scoring

CLASSES = tuple("abcdefghijklmn")
SEEN = CLASSES[:7]


def evaluated(binary: bool = True, gamma: float = 2.0) -> Evaluation:
    """Fourteen classes, half of them seen, with eight samples each of noisy attributes."""
    generator = torch.Generator().manual_seed(7)
    values = torch.rand(14, 6, generator=generator)
    values = ((values < 0.5) | (torch.eye(14, 6) > 0)).float() if binary else values + 0.1
    labels = torch.arange(112) % 14
    predictions = values[labels] + 0.5 * torch.randn(112, 6, generator=generator)
    return analyse(predictions, labels, ClassSemantics(CLASSES, tuple("uvwxyz"), values), SEEN, gamma)


def test_measures_of_an_evaluation_are_those_of_the_definitions() -> None:
    found = evaluated()
    samples = found.samples
    assert samples is not None
    labels, scores = (
        samples.labels.numpy(),
        class_scores(samples.predictions, samples.semantics.values).double().numpy(),
    )
    calibrated = scores - 2.0 * samples.is_seen.numpy()
    rates = scoring.class_hit_rates(measures.top_k_hits(calibrated, labels, 5), labels)
    seen, unseen = np.mean([rates[c] for c in range(7)]), np.mean([rates[c] for c in range(7, 14)])
    is_unseen = labels >= 7
    among_unseen = measures.top_k_hits(scores[is_unseen][:, 7:], labels[is_unseen] - 7, 5)
    t1 = np.mean(list(scoring.class_hit_rates(among_unseen, labels[is_unseen]).values()))
    f1 = [measures.f1(calibrated.argmax(axis=1), labels, c) for c in range(14)]
    directions = (samples.predictions / samples.predictions.norm(dim=1, keepdim=True)).numpy()
    present = samples.semantics.values.bool().numpy()[labels]
    ap = [measures.average_precision(directions[:, s], present[:, s]) for s in range(6)]
    auc = [measures.area_under_roc(directions[:, s], present[:, s]) for s in range(6)]
    truth = samples.semantics.values / samples.semantics.values.norm(dim=1, keepdim=True)
    r2 = [measures.r_squared(directions[:, s], truth[labels, s].numpy(), np.ones(112)) for s in range(6)]
    expected = {
        "U_top5": unseen, "S_top5": seen, "H_top5": 2 * seen * unseen / (seen + unseen), "T1_top5": t1,
        "F1_seen": np.mean(f1[:7]), "F1_unseen": np.mean(f1[7:]),
        "attribute_AP": np.mean(ap), "attribute_AUC": np.mean(auc), "attribute_R2": np.median(r2),
    }  # fmt: skip
    metrics = found.metrics()
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    content = Evaluation.to_dict(found)
    assert {name: content[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert content["class_f1"] == pytest.approx(dict(zip(CLASSES, f1, strict=True)))
    assert content["attribute_ap"] == pytest.approx(dict(zip("uvwxyz", ap, strict=True)), rel=1e-5)
    assert content["attribute_auc"] == pytest.approx(dict(zip("uvwxyz", auc, strict=True)), rel=1e-5)
    assert content["attribute_r2"] == pytest.approx(dict(zip("uvwxyz", r2, strict=True)), rel=1e-5)
    assert not {*expected} & {*Evaluation.metrics(found)}  # which is computed after each epoch


def test_what_is_undefined_is_left_out() -> None:
    of_degrees = evaluated(binary=False).metrics()
    assert "attribute_R2" in of_degrees
    assert not {"attribute_AP", "attribute_AUC"} & {*of_degrees}
    table = ClassSemantics(("a", "b", "c"), ("x", "y"), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    few = analyse(torch.rand(6, 2) + 0.1, torch.arange(6) % 3, table, ["a", "b"]).metrics()
    assert not {"U_top5", "S_top5", "H_top5", "T1_top5"} & {*few}  # five of three classes are all of them
    one_sided = analyse(torch.rand(4, 2) + 0.1, torch.tensor([2, 2, 2, 2]), table, ["a", "b"]).metrics()
    assert math.isnan(one_sided["F1_seen"])
    assert "attribute_R2" not in one_sided  # of one class


def test_mistakes_within_a_group_are_smaller(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    lines = [f"{name},{'early' if name < 'h' else 'late'},{name < 'd' or name > 'k'}" for name in CLASSES]
    table.write_text("class,half,edge\n" + "\n".join(lines) + "\n")
    groups = read_class_groups(table)
    assert groups["a"] == ("early", "True")
    found, evaluation = hierarchical_errors(evaluated(), groups), evaluated()
    samples = evaluation.samples
    assert samples is not None
    calibrated = class_scores(samples.predictions, samples.semantics.values).double() - 2.0 * samples.is_seen
    chosen = calibrated.argmax(dim=1).tolist()
    pairs = [(CLASSES[y], CLASSES[c]) for y, c in zip(samples.labels.tolist(), chosen, strict=True)]
    cost = [measures.tree_distance([*groups[y], y], [*groups[c], c]) for y, c in pairs]
    by_class = {name: np.mean([one for one, (y, _) in zip(cost, pairs, strict=True) if y == name]) for name in CLASSES}
    assert found.seen == pytest.approx(np.mean([by_class[name] for name in SEEN]))
    assert found.unseen == pytest.approx(np.mean([by_class[name] for name in CLASSES[7:]]))
    assert found.mistakes == pytest.approx(np.mean([one for one in cost if one > 0]))
    assert found.right_group == pytest.approx(np.mean([groups[y] == groups[c] for y, c in pairs]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("class\na\n", "expected a column of groups beside that of the classes, got none; add one"),
        ("class,group\na,x\na,y\n", "line 3: expected each class once, got 'a' again; remove one line"),
        (
            "class,group\na,\n",
            "line 2: expected a group in each column, got an empty cell; repeat the group to its left",
        ),
        ("name,group\na,x\n", "expected the columns class, got name, group"),
    ],
)
def test_files_of_groups_are_checked(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_class_groups(tmp_path / "groups.csv")


def test_groups_are_checked() -> None:
    groups = {name: ["one"] for name in CLASSES}
    with pytest.raises(DataError, match="groups: expected a group of each class, got none of 'c'; add them"):
        hierarchical_errors(evaluated(), groups | {"c": []})
    message = "groups: expected as many groups of each class, 1 as of 'a', got 2 of 'd'; repeat a group"
    with pytest.raises(DataError, match=message):
        hierarchical_errors(evaluated(), groups | {"d": ["one", "two"]})
    from dataclasses import replace  # noqa: PLC0415

    with pytest.raises(ArgumentError, match="evaluation: expected one with the predicted samples, got one without"):
        hierarchical_errors(replace(evaluated(), samples=None), groups)
