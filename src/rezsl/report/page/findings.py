"""What an analysis says, in sentences."""

import math
from dataclasses import dataclass

from rezsl.analysis import Analysis, Recognition
from rezsl.typing import Protocol

RECOGNISED = 0.5
"""A class counts as recognised from this share of its images on."""

NAMED = 6
"""How many classes or semantics a sentence names."""


@dataclass(frozen=True)
class Finding:
    """An answer: the question it answers, and sentences."""

    question: str
    answer: str


def findings(analysis: Analysis, protocol: Protocol) -> list[Finding]:
    """The answers that a reader wants first."""
    answers = [
        Finding("Which unseen classes are recognised?", _recognised(analysis)),
        Finding("Which semantics are predicted worst?", _worst(analysis)),
        Finding("Does the error follow the semantic's value?", _correlation(analysis)),
        Finding("What does it cost?", _cost(analysis)),
        Finding("Did γ carry over to the test classes?", _gamma(analysis, protocol)),
        Finding("What are the probabilities worth?", _confidence(analysis.generalized)),
    ]
    return [finding for finding in answers if finding.answer]


def percent(share: float) -> str:
    """A share as ``12.3 %``, which no line breaks apart; a dash where it is undefined."""
    return "–" if math.isnan(share) else f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, and a minus that is as wide as the plus."""
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _recognised(analysis: Analysis) -> str:
    known = analysis.generalized
    accuracy = dict(zip(known.candidates, known.class_accuracy.tolist(), strict=True))
    unseen = [name for name, seen in zip(analysis.classes, analysis.is_seen, strict=True) if not seen]
    if not unseen:
        return "There are no test images of unseen classes."
    unseen.sort(key=lambda name: -accuracy[name])
    right = [name for name in unseen if accuracy[name] >= RECOGNISED]
    wrong = [name for name in reversed(unseen) if accuracy[name] < RECOGNISED]
    sentences = [
        f"Among all {len(known.candidates)} classes, {len(right)} of {len(unseen)} unseen classes "
        f"{'is' if len(right) == 1 else 'are'} recognised in at least half of their images"
        + (f": {_listed([f'“{name}” ({percent(accuracy[name])})' for name in right])}." if right else ".")
    ]
    if wrong:
        missed = [f"“{name}” ({percent(accuracy[name])}{_taken_for(analysis, name)})" for name in wrong]
        sentences.append(f"Not recognised: {_listed(missed)}.")
    return " ".join(sentences)


def _taken_for(analysis: Analysis, name: str) -> str:
    """What the images of a class are mostly taken for."""
    known = analysis.generalized
    rates = known.confusion_rates[known.candidates.index(name)].clone()
    rates[known.candidates.index(name)] = 0
    column = int(rates.argmax())
    chosen = known.candidates[column]
    seen = dict(zip(analysis.classes, analysis.is_seen, strict=True)).get(chosen)
    kind = "" if seen is None else ", seen" if seen else ", unseen"
    return f", mostly taken for “{chosen}”{kind}, {percent(float(rates[column]))}"


def _worst(analysis: Analysis) -> str:
    profile = analysis.semantic_errors
    mean = profile.mean_of_means
    worst = [(analysis.attributes[row], float(profile.mean[row])) for row in profile.worst(NAMED - 1).tolist()]
    if not mean:
        return "Every semantic is predicted without error."
    named = _listed([f"“{name}” ({1000 * error:.1f}, {error / mean:.1f} × the mean)" for name, error in worst])
    return (
        f"{named}. The mean over {len(analysis.attributes)} semantics is {1000 * mean:.1f}, their spread "
        f"{1000 * profile.spread_of_means:.1f} (squared error of directions, ×10⁻³; Gini {profile.gini_of_means:.2f}, "
        f"where 0 is even)."
    )


def _correlation(analysis: Analysis) -> str:
    over_classes, over_semantics = (
        correlations.pearson
        for correlations in (analysis.correlation_over_classes, analysis.correlation_over_semantics)
    )
    if math.isnan(over_classes.mean):
        return "That is undefined here: values or errors are constant over the classes."
    level = f"{100 * analysis.options.level:.0f} %"
    verdict = "No clear relation over classes"
    if over_classes.mean_low > 0:
        verdict = "Yes: classes with a higher value of a semantic have a larger error in it"
    elif over_classes.mean_high < 0:
        verdict = "Yes, the other way round: classes with a higher value of a semantic have a smaller error in it"
    within = (
        f" Within a class, over its semantics, it is {signed(over_semantics.mean)} "
        f"({signed(over_semantics.mean_low)} to {signed(over_semantics.mean_high)})."
    )
    return (
        f"{verdict}: Pearson correlation {signed(over_classes.mean)} on average over semantics ({level} interval "
        f"{signed(over_classes.mean_low)} to {signed(over_classes.mean_high)}, "
        f"{len(analysis.classes)} classes resampled)." + ("" if math.isnan(over_semantics.mean) else within)
    )


def _cost(analysis: Analysis) -> str:
    sentences = []
    if analysis.point is not None:
        lost = analysis.t1 - analysis.point.unseen
        sentences.append(
            f"Among unseen classes alone T1 is {percent(analysis.t1)}; with the seen classes as candidates too, "
            f"{percent(analysis.point.unseen)} (U): seen classes cost {100 * lost:.1f} points."
        )
    mistakes = analysis.generalized.mistakes
    if len(mistakes.error):
        wrong = float(mistakes.error.mean())
        ratio = wrong / mistakes.right_error if mistakes.right_error > 0 else math.nan
        if not math.isnan(ratio):
            sentences.append(f"Wrongly recognised images have {ratio:.1f} times the semantic error of the right ones.")
        sentences.append(
            f"{percent(mistakes.nearest_share)} of the {len(mistakes.error)} mistakes choose the true class's nearest "
            f"neighbour in the semantics table."
        )
    if hubs := analysis.generalized.hubs:
        sentences.append(f"Classes that attract too many images: {_listed([f'“{name}”' for name in hubs])}.")
    return " ".join(sentences)


def _gamma(analysis: Analysis, protocol: Protocol) -> str:
    point, oracle = analysis.point, analysis.oracle
    if point is None or oracle is None:
        return ""
    if protocol == "oracle":
        return (
            f"It was chosen on these very test classes (oracle protocol), so H {percent(point.harmonic_mean)} is "
            f"optimistic and says nothing of new classes."
        )
    lost = 100 * (oracle.harmonic_mean - point.harmonic_mean)
    verdict = "Yes" if lost < 2 else "Mostly" if lost < 5 else "No"
    return (
        f"{verdict}: with γ = {point.gamma:.2f}, chosen without the test classes, H is "
        f"{percent(point.harmonic_mean)}; the γ that is best on the test images, {oracle.gamma:.2f}, would have given "
        f"{percent(oracle.harmonic_mean)} (H_oracle), {lost:.1f} points more. Published tables report the latter."
    )


def _confidence(known: Recognition) -> str:
    diagram = known.reliability
    if math.isnan(diagram.overconfidence):
        return ""
    side = "too sure" if diagram.overconfidence > 0 else "too modest"
    verdict = f"the model is {side} by {percent(abs(diagram.overconfidence))} on average"
    return f"{verdict[0].upper()}{verdict[1:]}; expected calibration error {percent(diagram.ece)}."


def _listed(parts: list[str]) -> str:
    """Parts as a list in a sentence, cut where it would grow too long."""
    more = len(parts) - NAMED
    if more > 0:
        return f"{', '.join(parts[:NAMED])} and {more} more"
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
