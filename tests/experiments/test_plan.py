from pathlib import Path
from typing import Any

import pytest

from rezsl.cli.compare import check_plan
from rezsl.errors import ArgumentError
from rezsl.experiments.plan import merged, read_plan
from rezsl.files import read_yaml

PLANS = sorted((Path(__file__).parents[2] / "configs" / "plans").glob("*.yaml"))


def plan(**changes: Any) -> dict[str, Any]:
    return {
        "options": {"max_epochs": 2},
        "datasets": {"toy": {"data": {"class_path": "xlsa17", "init_args": {"root": "x"}}}},
        "methods": {"linear": {"model": "linear", "max_epochs": 3}, "mlp": {"model": "mlp"}},
        "losses": {"none": {"loss": None}, "mse": {"loss": "MSELoss"}},
        "seeds": [0, 1],
        "baseline": {"method": "linear", "loss": "none"},
        **changes,
    }


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_plan_that_comes_with_rezsl_is_one(path: Path) -> None:
    content = read_yaml(path, ArgumentError)
    described = read_plan(
        content, str(path), {name: "/data" for name, entry in content["datasets"].items() if "root" in str(entry)}
    )
    check_plan(described)
    assert len(described.seeds) >= 3
    assert path.read_text().startswith("# ")
    assert f"rezsl compare configs/plans/{path.name} -o " in path.read_text()


def test_options_are_merged_dataset_method_loss() -> None:
    read = read_plan(plan(pairs={"mlp": ["mse"]}), "plan.yaml", {"toy": "/there"})
    assert [cell.folder for cell in read.cells] == ["toy/linear/none", "toy/linear/mse", "toy/mlp/mse"]
    assert read.cells[1].options == {
        "max_epochs": 3, "model": "linear", "loss": "MSELoss",
        "data": {"class_path": "xlsa17", "init_args": {"root": "/there"}},
    }  # fmt: skip
    assert read.search.trials == 0


def test_arguments_of_another_class_are_not_kept() -> None:
    first = {"loss": {"class_path": "ReMSELoss", "init_args": {"class_power": 1}}}
    assert merged(first, {"loss": {"class_path": "MSELoss"}}) == {"loss": {"class_path": "MSELoss"}}
    assert merged(first, {"loss": {"init_args": {"unit_mean": True}}}) == {
        "loss": {"class_path": "ReMSELoss", "init_args": {"class_power": 1, "unit_mean": True}}
    }


def test_what_is_searched_may_depend_on_method_and_loss() -> None:
    search = {
        "trials": 3,
        "space": {"loss_weight": [0.5, 1.0], "optimization.learning_rate": {"low": 0.1, "high": 1}},
        "methods": {"mlp": {"optimization.learning_rate": None}},
        "losses": {"none": {"loss_weight": None}},
    }
    names = {cell.folder: list(cell.space) for cell in read_plan(plan(search=search), "p").cells}
    assert names == {
        "toy/linear/none": ["optimization.learning_rate"],
        "toy/linear/mse": ["loss_weight", "optimization.learning_rate"],
        "toy/mlp/none": [],
        "toy/mlp/mse": ["loss_weight"],
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "p: unknown entry 'seed'; expected datasets, methods, losses, seeds, baseline, pairs"),
        ({"methods": {}}, "p: methods: expected names with options of rezsl fit, got {}"),
        ({"methods": {"a/b": {}}}, "p: methods: expected names that can name a folder, got 'a/b'"),
        ({"losses": {None: {}}}, "p: losses: expected names that can name a folder, got None; put odd ones in quotes"),
        ({"pairs": {"mlp": ["remse"]}}, "p: pairs: mlp: expected a list of none, mse, got ['remse']"),
        ({"seeds": [0, 0]}, "p: seeds: expected a list of different whole numbers of at least 0, got [0, 0]"),
        ({"seeds": [0, 1.5]}, "p: seeds: expected a value of type int, got 1.5"),
        ({"seeds": 3}, "p: seeds: expected a value of type list, got 3"),
        ({"seeds": None}, "p: expected an entry seeds, got none; add it"),
        ({"methods": {"linear": 1}}, "p: methods: linear: expected options of rezsl fit, got 1"),
        (
            {"baseline": {"method": "linear"}},
            "p: baseline: expected {method, loss} of one of the rows (linear with none, ",
        ),
        ({"baseline": {"method": "linear", "loss": "no"}}, "mlp with mse), got {'method': 'linear', 'loss': 'no'}"),
        ({"search": {"trials": 2, "objective": "T1"}}, "p: search: objective: expected H or AUSUC, got T1"),
        (
            {"search": {"trial": 2}},
            "p: search: unknown entry 'trial'; expected trials, objective, space, methods, losses",
        ),
        ({"search": [1]}, "p: search: expected trials, objective, space, methods, losses, got [1]"),
        ({"search": {"trials": 0}}, "p: search: expected trials of at least 1, got 0; or leave search out"),
        ({"search": {"trials": 2, "methods": {"x": {}}}}, "p: search: methods: unknown name 'x'; expected linear, mlp"),
        (
            {"search": {"trials": 2, "space": {"loss_weight": {"low": 2, "high": 1}}}},
            "p: search: loss_weight: expected low below high, got 2 to 1; the range is empty",
        ),
    ],
)
def test_a_wrong_plan_is_told_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as error:
        read_plan(plan(**changes), "p")
    assert message in str(error.value)


def test_options_that_fit_does_not_have_are_found_before_anything_runs() -> None:
    wrong = read_plan(plan(methods={"linear": {"model": "linear"}, "mlp": {"modle": "mlp"}}), "p")
    with pytest.raises(ArgumentError, match=r"^plan: toy/mlp/none: .*modle"):
        check_plan(wrong)
    with pytest.raises(ArgumentError, match=r"data_root: p has no data set 'toi'; it has toy"):
        read_plan(plan(), "p", {"toi": "x"})
