"""The results of an analysis in sentences."""

import math
from dataclasses import dataclass

from rezsl.evaluation import Analysis, ErrorFall, Mistakes, Recognition
from rezsl.report._text import MINUS, listed, number, percent, signed

RECOGNISED = 0.5
"""A class counts as recognised if at least this share of its images is."""

NAMED = 6
"""The most classes or attributes that a sentence names."""


@dataclass(frozen=True)
class Finding:
    """A question and its answer."""

    question: str
    answer: str


def findings(
    analysis: Analysis,
    validation_classes: int | None = None,
    error_fall: ErrorFall | None = None,
) -> list[Finding]:
    """Return the answers to the questions that readers have first.

    Args:
        analysis: of one model.
        validation_classes: number of classes on which γ was chosen; None where that is not known.
        error_fall: how fast the errors fell in training; None where that is not known.
    """
    answers = [
        Finding("What can be concluded from these metrics?", _warning(analysis)),
        Finding("Which unseen classes are recognised?", _recognised(analysis)),
        Finding("Which attributes are predicted worst?", _worst(analysis)),
        Finding("Does the error depend on the attribute's value?", _correlation(analysis)),
        Finding("Are attributes of high value learnt more slowly?", _learnt(error_fall, analysis.options.level)),
        Finding("What do the seen classes and the mistakes cost?", _cost(analysis)),
        Finding("Did γ carry over to the test classes?", _gamma(analysis, validation_classes)),
        Finding("How reliable are the probabilities?", _confidence(analysis.generalized)),
    ]
    return [finding for finding in answers if finding.answer]


def _warning(analysis: Analysis) -> str:
    if analysis.protocol != "oracle":
        return ""
    return (
        "Little: epoch and γ were chosen on these very test classes (oracle protocol). They can be compared "
        "with tables that were made in the same way, but they do not show how new classes will be recognised."
    )


def _recognised(analysis: Analysis) -> str:
    known = analysis.generalized
    accuracy = dict(zip(known.candidates, known.class_accuracy.tolist(), strict=True))
    unseen = [name for name, seen in zip(analysis.classes, analysis.is_seen, strict=True) if not seen]
    if not unseen:
        return (
            f"There are no test images of unseen classes. Images of seen classes are recognised in "
            f"{percent(known.accuracy)} of the cases, on average over {_counted(len(analysis.classes), 'class')}."
        )
    unseen.sort(key=lambda name: -accuracy[name])
    right = [name for name in unseen if accuracy[name] >= RECOGNISED]
    wrong = [name for name in reversed(unseen) if accuracy[name] < RECOGNISED]
    sentences = [
        f"Among all {len(known.candidates)} classes, {_share_of_classes(len(right), len(unseen))} recognised in at "
        f"least half of {'its' if len(unseen) == 1 else 'their'} images"
        + (f": {_named([f'“{name}” ({percent(accuracy[name])})' for name in right])}." if right else ".")
    ]
    if wrong:
        missed = [f"“{name}” ({percent(accuracy[name])}{_taken_for(analysis, name)})" for name in wrong]
        sentences.append(f"Not recognised: {_named(missed)}.")
    return " ".join(sentences)


def _share_of_classes(right: int, unseen: int) -> str:
    """Begin a sentence with how many of the unseen classes are recognised."""
    if unseen == 1:
        return "the only unseen class is" if right else "the only unseen class is not"
    if right in (0, unseen):
        return f"{'all' if right else 'none of the'} {unseen} unseen classes are"
    return f"{right} of {unseen} unseen classes {'is' if right == 1 else 'are'}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}es"


def _taken_for(analysis: Analysis, name: str) -> str:
    """What the images of a class are most often recognised as."""
    known = analysis.generalized
    rates = known.confusion_rates[known.candidates.index(name)].clone()
    rates[known.candidates.index(name)] = 0
    column = int(rates.argmax())
    chosen = known.candidates[column]
    seen = dict(zip(analysis.classes, analysis.is_seen, strict=True)).get(chosen)
    kind = "" if seen is None else ", seen" if seen else ", unseen"
    return f", most often recognised as “{chosen}”{kind}, {percent(float(rates[column]))}"


def _worst(analysis: Analysis) -> str:
    profile = analysis.attribute_errors
    mean = profile.mean_of_means
    worst = [(analysis.attributes[row], float(profile.mean[row])) for row in profile.worst(NAMED - 1).tolist()]
    if not mean:
        return "Every attribute is predicted without error."
    named = _named([f"“{name}” ({1000 * error:.1f}, {error / mean:.1f} × the mean)" for name, error in worst])
    return (
        f"{named}. The mean over {len(analysis.attributes)} attributes is {1000 * mean:.1f}, their spread "
        f"{1000 * profile.spread_of_means:.1f} (squared error of directions, ×10⁻³; Gini {profile.gini_of_means:.2f}, "
        f"where 0 means that all are equal)."
    )


def _correlation(analysis: Analysis) -> str:
    over_classes, over_semantics = (
        correlations.pearson
        for correlations in (analysis.correlation_over_classes, analysis.correlation_over_attributes)
    )
    if math.isnan(over_classes.mean):
        return "This is undefined here, because values or errors are constant over the classes."
    level = f"{100 * analysis.options.level:.0f} %"
    verdict = "No clear relation over classes"
    if over_classes.mean_low > 0:
        verdict = "Yes: classes with a higher value of an attribute have a larger error in it"
    elif over_classes.mean_high < 0:
        verdict = "Yes, the other way round: classes with a higher value of an attribute have a smaller error in it"
    within = (
        f" Within a class, over its attributes, it is {signed(over_semantics.mean)} "
        f"({signed(over_semantics.mean_low)} to {signed(over_semantics.mean_high)})."
    )
    return (
        f"{verdict}: Pearson correlation {signed(over_classes.mean)} on average over attributes ({level} interval "
        f"{signed(over_classes.mean_low)} to {signed(over_classes.mean_high)}, "
        f"{len(analysis.classes)} classes resampled)." + ("" if math.isnan(over_semantics.mean) else within)
    )


def _learnt(fall: ErrorFall | None, level: float) -> str:
    if fall is None or math.isnan(fall.correlation_over_classes.pearson.mean):
        return ""
    correlation = fall.correlation_over_classes.pearson
    verdict = "No clear relation"
    if correlation.mean_high < 0:
        verdict = "Yes: errors fall more slowly where the value is higher"
    elif correlation.mean_low > 0:
        verdict = "The other way round: errors fall faster where the value is higher"
    change = signed(100 * math.expm1(-float(fall.rate.nanmean())), 1)
    return (
        f"{verdict}. On validation images errors changed by {change} % per epoch on average; the fall's Pearson "
        f"correlation with the value is {signed(correlation.mean)} on average over "
        f"attributes ({100 * level:.0f} % interval {signed(correlation.mean_low)} to {signed(correlation.mean_high)})."
    )


def _cost(analysis: Analysis) -> str:
    sentences = [_cost_of_seen(analysis)] if analysis.conventional is not None else []
    mistakes = analysis.generalized.mistakes
    if not len(mistakes.error):
        sentences.append("No image is mistaken for another class.")
    if len(mistakes.error):
        wrong = float(mistakes.error.mean())
        ratio = wrong / mistakes.right_error if mistakes.right_error > 0 else math.nan
        if not math.isnan(ratio):
            sentences.append(f"Wrongly recognised images have {ratio:.1f} times the attribute error of the right ones.")
        sentences.append(f"{_nearest(mistakes)} the true class's nearest neighbour in the semantics table.")
        if hubs := analysis.generalized.hubs:
            nearest = analysis.generalized.hubness.neighbours
            sentences.append(
                f"Classes that are among the {nearest} best of unusually many images: "
                f"{_named([f'“{name}”' for name in hubs])}."
            )
    return " ".join(sentences)


def _nearest(mistakes: Mistakes) -> str:
    if len(mistakes.error) == 1:
        return f"The only mistake {'chooses' if mistakes.nearest_share else 'does not choose'}"
    return f"{percent(mistakes.nearest_share)} of the {len(mistakes.error)} mistakes choose"


def _cost_of_seen(analysis: Analysis) -> str:
    known = analysis.conventional
    assert known is not None
    t1 = f"Among unseen classes alone T1 is {percent(analysis.t1)}"
    if len(known.candidates) == 1:
        t1 = "With a single unseen class T1 is 100 % by construction"
    if not analysis.has_seen:
        return f"{t1}; there are no test images of seen classes."
    lost = _points(analysis.t1, analysis.point.unseen)
    cost = f"seen classes cost {lost} points" if lost != "0.0" else "seen classes cost nothing"
    return (
        f"{t1}; with the seen classes as candidates too, {percent(analysis.point.unseen)} (U): {cost}. "
        f"Images of seen classes reach {percent(analysis.point.seen)} (S)."
    )


def _points(high: float, low: float) -> str:
    """Return the difference of two shares in percent; it equals the difference of the printed shares."""
    return f"{round(100 * high, 1) - round(100 * low, 1):.1f}".replace("-0.0", "0.0").replace("-", MINUS)


def _gamma(analysis: Analysis, validation_classes: int | None) -> str:
    point, oracle = analysis.point, analysis.oracle
    if not (analysis.has_seen and analysis.has_unseen) or analysis.protocol == "oracle":
        return ""
    kept = point.harmonic_mean / oracle.harmonic_mean if oracle.harmonic_mean else 1.0
    verdict = "Yes" if kept > 0.95 else "Mostly" if kept > 0.85 else "No"
    answer = (
        f"{verdict}: with γ = {_plain(point.gamma)}, chosen {_chosen_on(validation_classes)}, "
        f"H is {percent(point.harmonic_mean)}"
    )
    more = _points(oracle.harmonic_mean, point.harmonic_mean)
    if more == "0.0":
        return f"{answer}, and no other γ would have given noticeably more on the test images."
    return (
        f"{answer}; the γ that is best on the test images, {_plain(oracle.gamma)}, would have given "
        f"{percent(oracle.harmonic_mean)} (H_oracle), {more} points more. Published tables mostly report the latter."
    )


def _chosen_on(classes: int | None) -> str:
    if classes is None:
        return "without the test classes"
    if classes == 1:
        return "on a single validation class, which is weak evidence for other classes"
    return f"on {classes} validation classes"


def _confidence(known: Recognition) -> str:
    diagram = known.reliability
    if math.isnan(diagram.overconfidence):
        return ""
    side = "too confident" if diagram.overconfidence > 0 else "not confident enough"
    by = f"{100 * abs(diagram.overconfidence):.1f}"
    verdict = f"{side} by {by} points on average" if by != "0.0" else "well calibrated on average"
    return f"The model is {verdict}; expected calibration error {percent(diagram.ece)}."


def _named(parts: list[str]) -> str:
    return listed(parts, NAMED)


def _plain(value: float) -> str:
    return number(value, 2).replace("-", MINUS)
