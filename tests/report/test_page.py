import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rezsl.data import Benchmark
from rezsl.errors import ArgumentError, RunDirectoryError
from rezsl.evaluation import Analysis, AnalysisOptions, analyse, analyse_error_fall
from rezsl.functional.recognition import reliability
from rezsl.metrics import metrics_in
from rezsl.report import ReportedRun, render_report, reported_run, save_report
from rezsl.report._findings import answers_on_attributes, answers_on_classes, headlines, warnings
from rezsl.semantics import ClassSemantics
from rezsl.training import Batches, Training, fit
from tests.report.page_reader import Page

QUICK = AnalysisOptions(resamples=20)
HOSTILE = '</script><b>$x$ & "it\'s"'


def analysis_of(
    classes: int, attributes: int, seen: int, each: int = 4, name: str = "class", noise: float = 0.3
) -> Analysis:
    generator = torch.Generator().manual_seed(0)
    table = ClassSemantics(
        tuple(f"{name} {number}" for number in range(classes)),
        tuple(f"{name} attribute {number}" for number in range(attributes)),
        torch.rand(classes, attributes, generator=generator) + 0.05,
    )
    labels = torch.arange(classes).repeat_interleave(each)
    predictions = table.values[labels] + noise * torch.randn(len(labels), attributes, generator=generator)
    return analyse(predictions, labels, table, table.classes[:seen], gamma=0.1, options=QUICK)


def test_a_page_of_two_runs_is_one_sound_accessible_file(tmp_path: Path) -> None:
    runs = {
        "first": ReportedRun(analysis_of(8, 5, 6), data="toy"),
        "second": ReportedRun(analysis_of(8, 5, 6, noise=0.9)),
    }
    save_report(runs, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http:" not in text
    assert "https:" not in text
    page = Page(text)
    assert re.search(r"<td>\N{MINUS SIGN}\d", text)
    assert not re.search(r"<td>-\d", text)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert [option["value"] for option in page.all("option")[:2]] == ["0", "1"]
    assert all("scope" in header for header in page.all("th"))
    shown = {metric.description for metric in metrics_in("page") if not metric.optional}
    assert shown <= set(page.texts)
    # A page of several runs opens with the comparison.
    headings = [text for text in page.texts if text in ("The runs side by side", "first: What the model recognises")]
    assert headings == ["The runs side by side", "first: What the model recognises"]
    assert "Seen-unseen curves. Areas: first " in " ".join(picture["aria-label"] for picture in page.all("svg"))
    assert all(picture["aria-label"] and picture["role"] == "img" for picture in page.all("svg"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = [value for _, attributes in page.elements for name in ("aria-labelledby", "aria-describedby")
                  for value in attributes.get(name, "").split()]  # fmt: skip
    assert set(references) <= set(ids)
    assert [use["href"].removeprefix("#") in ids for use in page.all("use")].count(False) == 0
    assert "second minus first" in page.texts


def test_the_matrix_in_the_page_is_that_of_the_analysis() -> None:
    analysis = analysis_of(7, 4, 5)
    run = ReportedRun(analysis)
    first, second = Page(render_report({"a": run, "b": run})).matrices
    assert first["classes"] == list(analysis.classes)
    assert first["seen"] == [True] * 5 + [False] * 2
    assert torch.tensor(first["errors"]).div(1000) == pytest.approx(analysis.error_matrix, rel=5e-3)
    assert torch.tensor(first["values"]).div(1000) == pytest.approx(analysis.class_semantics, rel=5e-3)
    assert second["values"] == 0  # the table is in the file once


def test_names_cannot_break_out_of_the_page() -> None:
    analysis = analysis_of(6, 4, 4, name=HOSTILE, noise=2.0)
    run = ReportedRun(analysis, data=HOSTILE, notes=(HOSTILE,), settings={HOSTILE: [HOSTILE]})
    page = Page(render_report({HOSTILE: run}))
    assert page.all("b") == []
    assert len(page.all("script")) == 2
    assert page.matrices[0]["classes"] == list(analysis.classes)
    assert HOSTILE in page.texts
    assert any(text.startswith(HOSTILE[:12]) and "attribute" in text for text in page.texts)


def test_200_classes_of_312_attributes_take_less_than_3_mb() -> None:
    analysis = analysis_of(200, 312, 150, each=2, name=HOSTILE)
    assert len(render_report({"cub": ReportedRun(analysis)}).encode()) < 3_000_000


def test_a_page_without_unseen_images_says_so() -> None:
    generator = torch.Generator().manual_seed(0)
    table = ClassSemantics(("a", "b", "c"), ("x", "y"), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    labels = torch.tensor([0, 1])
    predictions = table.values[labels] + 0.1 * torch.rand(2, 2, generator=generator)
    analysis = analyse(predictions, labels, table, ["a", "b"], options=QUICK)
    texts = Page(render_report({"run": ReportedRun(analysis)})).texts
    assert (
        "There are no test images of unseen classes. Images of seen classes are recognised in 100.0 % of the "
        "cases, on average over 2 classes."
    ) in texts
    assert not any("Seen-unseen curve" in text for text in texts)


def test_a_page_without_seen_images_tells_t1() -> None:
    table = ClassSemantics(("a", "b", "c"), ("x", "y"), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    analysis = analyse(table.values[[2]], torch.tensor([2]), table, ["a", "b"], options=QUICK)
    sentence = "With a single unseen class T1 is 100 % by construction. There are no test images of seen classes."
    assert any(text.startswith(sentence) for text in Page(render_report({"run": ReportedRun(analysis)})).texts)


def test_runs_on_other_classes_stand_side_by_side_without_differences() -> None:
    runs = {"a": ReportedRun(analysis_of(6, 4, 4)), "b": ReportedRun(analysis_of(7, 4, 4))}
    texts = Page(render_report(runs)).texts
    assert any(text.startswith("No paired differences: ") for text in texts)


def test_nothing_to_report_is_refused() -> None:
    with pytest.raises(ArgumentError, match="runs: expected at least one to report, got none"):
        render_report({})


def test_the_answer_is_that_of_a_case_worked_out_by_hand() -> None:
    # Of "zebra" one image of four is right, two are taken for "horse"; "whale" is always right.
    chosen = ["horse", "cow", "zebra", "horse", "horse", "whale", "whale", "whale"]
    truth = ["horse", "cow", "zebra", "zebra", "zebra", "zebra", "whale", "whale"]
    analysis = recognising(chosen, truth, ["horse", "cow"])
    answers = answers_of(analysis)
    assert answers["Which unseen classes are recognised?"] == (
        "Among all 4 classes, 1 of 2 unseen classes is recognised in at least half of their images: “whale” (100.0 %). "
        "Not recognised: “zebra” (25.0 %, most often recognised as “horse”, seen, 50.0 %)."
    )
    # U = (1/4 + 1) / 2. Without horse and cow, the horses are nearest to zebra: T1 = (3/4 + 1) / 2.
    assert (
        "T1 is 87.5 %. With the seen classes as candidates too, 62.5 % of the images of unseen classes are named "
        "right (U), 25.0 points less." in (answers["What do the seen classes cost, and how wrong are the mistakes?"])
    )
    assert (
        "In 66.7 % of the 3 mistakes the chosen class is the one whose row in the semantics table is nearest"
        in answers["What do the seen classes cost, and how wrong are the mistakes?"]
    )
    harmonic_mean = 2 * 0.625 / 1.625
    gamma = answers["Did γ carry over to the test classes?"]
    assert f"with γ = 0.00, chosen without test images, H is {100 * harmonic_mean:.1f} %" in gamma


def test_the_first_numbers_are_those_of_the_case_worked_out_by_hand() -> None:
    # The case above: T1 = (3/4 + 1) / 2, U = (1/4 + 1) / 2, and both seen images are right.
    chosen = ["horse", "cow", "zebra", "horse", "horse", "whale", "whale", "whale"]
    truth = ["horse", "cow", "zebra", "zebra", "zebra", "zebra", "whale", "whale"]
    analysis = recognising(chosen, truth, ["horse", "cow"])
    assert [(one.symbol, one.of_100) for one in headlines(analysis)] == [("T1", "88"), ("U", "62"), ("S", "100")]
    page = Page(render_report({"run": ReportedRun(analysis, untested=("unicorn",))}))
    text = " ".join(page.texts)
    assert "88 of 100 images of unseen classes are named right when only the 2 unseen classes are in question" in text
    assert "62 of 100 images of unseen classes are named right when all 4 classes are in question" in text
    # Below them the unseen classes, the worst first, with what they were taken for.
    assert "zebra 25 of 100 named right; others taken for horse (50) or whale (25) whale 100 of 100 named right" in text
    assert "1 unseen class has no images, so nothing shows how well the model names it: unicorn." in text
    assert text.index("Seen against unseen") < text.index("Attributes: how evenly they are learnt")
    alone = recognising(["cow", "zebra"], ["cow", "zebra"], ["horse", "cow", "whale"])
    assert (
        headlines(alone)[0].sentence
        == "images of the unseen class are named right when it is the only class in question, as must be"
    )


def answers_of(analysis: Analysis, **known: Any) -> dict[str, str]:
    """By question, with ordinary spaces."""
    known = {"is_test": True, "error_fall": None, **known}
    error_fall = known.pop("error_fall")
    found = [*answers_on_classes(analysis, **known), *answers_on_attributes(analysis, error_fall)]
    return {one.question: one.answer.replace("\N{NO-BREAK SPACE}", " ") for one in found}


def recognising(chosen: list[str], truth: list[str], seen: list[str]) -> Analysis:
    """Predictions that are exactly the attributes of the chosen class."""
    table = ClassSemantics(("horse", "cow", "zebra", "whale"), ("mane", "stripes", "fins"), torch.tensor(
        [[1.0, 0.0, 0.0], [0.5, -1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))  # fmt: skip
    labels = torch.tensor(table.index(truth))
    return analyse(table.values[table.index(chosen)], labels, table, seen, options=QUICK)


def test_figures_of_the_oracle_protocol_come_with_a_warning_before_all_else() -> None:
    analysis = analysis_of(6, 4, 4)
    assert not warnings(analysis)
    (warning,) = warnings(replace(analysis, protocol="oracle"))
    assert warning.startswith("Epoch and γ were chosen on these very test classes (oracle protocol).")
    assert not any("γ carry over" in question for question in answers_of(replace(analysis, protocol="oracle")))
    page = Page(render_report({"run": ReportedRun(replace(analysis, protocol="oracle"))}))
    assert "run (oracle protocol)" in page.texts
    assert page.texts.index(warning) < page.texts.index(
        "of 100 images of seen classes are named right when all 6 classes are in question"
    )


@pytest.mark.parametrize(
    ("sign", "words"), [(-1.0, "Yes: errors grow faster"), (1.0, "No, the other way round: errors grow more slowly")]
)
def test_errors_that_grew_are_not_said_to_fall(sign: float, words: str) -> None:
    analysis = analysis_of(6, 4, 4)
    rate = -0.5 + 0.3 * sign * analysis.class_semantics
    matrices = torch.stack([(-rate * epoch).exp() for epoch in range(1, 5)])
    fall = analyse_error_fall(matrices, analysis.class_semantics, options=QUICK)
    answer = answers_of(analysis, error_fall=fall)["Are attributes of high value learnt more slowly?"]
    assert answer.startswith(words)
    assert "changed by +" in answer


@pytest.mark.parametrize(("sign", "words"), [(-1.0, "Yes: errors fall more slowly"), (1.0, "No, the other way round")])
def test_how_errors_fell_in_training_is_said_and_shown(sign: float, words: str) -> None:
    analysis = analysis_of(6, 4, 4)
    rate = 0.2 + 0.3 * sign * analysis.class_semantics
    matrices = torch.stack([(-rate * epoch).exp() for epoch in range(1, 5)])
    fall = analyse_error_fall(matrices, analysis.class_semantics, options=QUICK)
    answer = answers_of(analysis, error_fall=fall)["Are attributes of high value learnt more slowly?"]
    assert answer.startswith(words)
    assert f"changed by \N{MINUS SIGN}{-100 * math.expm1(-float(rate.mean())):.1f} % per epoch" in answer
    page = Page(render_report({"run": ReportedRun(analysis, error_fall=fall)}))
    assert "How fast errors fall in training" in page.texts
    label = next(svg["aria-label"] for svg in page.all("svg") if "fall of ln error" in svg["aria-label"])
    lowest = float(fall.by_value.mean[0])
    assert f"from the lowest to the highest: {100 * lowest:.1f} at " in label


def test_where_gamma_comes_from_is_said() -> None:
    analysis = analysis_of(6, 4, 4)
    answer = answers_of(analysis)["Did γ carry over to the test classes?"]
    assert "with γ = 0.10, chosen without test images, H is " in answer


@pytest.mark.parametrize(
    ("confidence", "right", "answer"),
    [
        ([0.9, 0.9, 0.5, 0.5], [1, 1, 1, 0], "On average, they are 5.0 points too low: the class that the model chooses has a probability of 70.0 %, and it is the true class of 75.0 % of the images."),
        ([0.9, 0.9, 0.5, 0.5], [1, 1, 0, 0], "On average, they are 20.0 points too high: the class that the model chooses has a probability of 70.0 %, and it is the true class of 50.0 % of the images."),
        ([0.8, 0.2], [0, 1], "On average, they are right: the class that the model chooses has a probability of 50.0 %, and it is the true class of 50.0 % of the images."),
    ],
)  # fmt: skip
def test_the_numbers_of_a_calibration_are_told_apart(confidence: list[float], right: list[int], answer: str) -> None:
    analysis = analysis_of(6, 4, 4)
    diagram = reliability(torch.tensor(confidence), torch.tensor(right, dtype=torch.bool))
    known = replace(analysis.generalized, reliability=diagram)
    found = answers_of(replace(analysis, generalized=known))["How reliable are the probabilities?"]
    assert found.startswith(answer)
    assert f"that probability is off by {100 * diagram.ece:.1f} points in the mean" in found


def test_a_perfect_result_is_not_said_to_cost_anything() -> None:
    names = ["horse", "cow", "zebra", "whale"]
    answers = answers_of(recognising(names, names, ["horse", "cow"]))
    assert answers["Which unseen classes are recognised?"].startswith(
        "Among all 4 classes, all 2 unseen classes are recognised in at least half of their images: "
    )
    assert answers["Which attributes are predicted worst?"] == "Every attribute is predicted without error."
    assert answers["What do the seen classes cost, and how wrong are the mistakes?"] == (
        "Among unseen classes alone T1 is 100.0 %. With the seen classes as candidates too, 100.0 % of the images of "
        "unseen classes are named right (U), no less. Of the images of seen classes it is 100.0 % (S). No image is "
        "mistaken for another class."
    )
    assert answers["Did γ carry over to the test classes?"].endswith(
        "H is 100.0 %, and no other γ would have given noticeably more on the test images."
    )


def test_a_single_unseen_class_says_nothing_of_t1() -> None:
    analysis = recognising(
        ["horse", "cow", "whale", "cow"], ["horse", "cow", "whale", "whale"], ["horse", "cow", "zebra"]
    )
    answers = answers_of(analysis)
    assert answers["Which unseen classes are recognised?"] == (
        "Among all 4 classes, the only unseen class is recognised in at least half of its images: “whale” (50.0 %)."
    )
    assert answers["What do the seen classes cost, and how wrong are the mistakes?"].startswith(
        "With a single unseen class T1 is 100 % by construction. With the seen classes as candidates too, 50.0 % of the "
        "images of unseen classes are named right (U), 50.0 points less. "
    )
    assert (
        "In the only mistake the chosen class is the one whose row in the semantics table is nearest"
        in answers["What do the seen classes cost, and how wrong are the mistakes?"]
    )
    texts = Page(render_report({"run": ReportedRun(analysis)})).texts
    assert "Confusion among unseen classes" not in texts
    missed = answers_of(recognising(["horse", "cow", "whale"], ["horse", "cow", "zebra"], ["horse", "cow", "whale"]))
    assert "the only unseen class is not recognised" in missed["Which unseen classes are recognised?"]
    assert (
        "In the only mistake the chosen class is not the one whose row in the semantics table is nearest"
        in missed["What do the seen classes cost, and how wrong are the mistakes?"]
    )


def test_nothing_recognised_and_no_seen_images_are_said_as_they_are() -> None:
    analysis = recognising(["cow", "cow"], ["zebra", "whale"], ["horse", "cow"])
    answers = answers_of(analysis)
    assert answers["Which unseen classes are recognised?"].startswith(
        "Among all 4 classes, none of the 2 unseen classes are recognised in at least half of their images. Not recognised: "
    )
    assert answers["What do the seen classes cost, and how wrong are the mistakes?"].startswith(
        "Among unseen classes alone T1 is "
    )
    assert "Did γ carry over to the test classes?" not in answers


def test_the_worst_attribute_is_named_with_its_error() -> None:
    analysis = analysis_of(6, 4, 4)
    error = analysis.error_matrix.mean(dim=0)
    name, worst = analysis.attributes[int(error.argmax())], float(error.max())
    answer = answers_of(analysis)["Which attributes are predicted worst?"]
    assert answer.startswith(f"“{name}” ({1000 * worst:.1f}, {worst / float(error.mean()):.1f} × the mean), ")
    assert not math.isnan(worst)


def test_features_have_no_pictures_and_a_damaged_record_is_named(features: Benchmark, tmp_path: Path) -> None:
    run = tmp_path / "run"
    quick = Batches(per_epoch=1)
    model = fit(
        features, training=Training(max_epochs=1, batches=quick, accelerator="cpu"), progress=False, run_dir=run
    ).model
    reported = reported_run(model, features, run)
    assert reported.examples == ()
    assert reported.metrics["test"]["H"] == pytest.approx(reported.analysis.metrics()["H"])
    texts = Page(render_report({"toy": reported})).texts
    assert reported.settings["data"]["sha256"] in texts
    (run / "metrics.json").write_text("{")
    with pytest.raises(
        RunDirectoryError, match=r"metrics.json: expected a JSON object, got a damaged file \(.*\); restore the file"
    ):
        reported_run(model, features, run)
    damaged: tuple[object, ...] = (5, [], "T1_oracle", {"T1_oracle": 0.5}, {"T1_oracle": "x", "T1_oracle_epoch": None})
    for test in damaged:
        (run / "metrics.json").write_text(json.dumps({"test": test}))
        (run / "settings.json").write_text("{}")
        if test == []:
            assert reported_run(model, features, run).metrics == {"test": []}
            continue
        with pytest.raises(
            RunDirectoryError, match=r"metrics.json: expected the metrics of a run that fit its settings"
        ):
            reported_run(model, features, run)
