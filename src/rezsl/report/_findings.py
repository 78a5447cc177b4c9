"""The results of an analysis in sentences."""

import math
from typing import NamedTuple

from rezsl.evaluation import Analysis, ErrorFall, Evaluation, Recognition
from rezsl.report._text import MINUS, UNIT, listed, number, percent, signed

RECOGNISED = 0.5
"""A class counts as recognised if at least this share of its images is."""

NAMED = 6
"""The most classes or attributes that a sentence names."""

WARNING = (
    "Epoch and γ were chosen on these very test classes (oracle protocol). They can be compared with tables "
    "that were made in the same way, but they do not show how new classes will be recognised."
)


class Headline(NamedTuple):
    """A number of the first screen: of 100 images, how many are named right; and the rest of the sentence."""

    of_100: str
    sentence: str
    symbol: str


class Finding(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str


def headlines(analysis: Analysis) -> list[Headline]:
    """Return the numbers that sum up an analysis, in words; those without images are left out."""
    point, every = analysis.point, f"all {len(analysis.generalized.candidates)} classes"
    found = []
    if analysis.conventional is not None:
        count = len(analysis.conventional.candidates)
        images = "images of unseen classes" if count > 1 else "images of the unseen class"
        only = f"only the {count} unseen classes are in question"
        only = only if count > 1 else "it is the only class in question, as must be"
        found = [
            (analysis.t1, f"{images} are named right when {only}", "T1"),
            (point.unseen, f"{images} are named right when {every} are in question", "U"),
        ]
    if analysis.has_seen:
        found.append((point.seen, f"images of seen classes are named right when {every} are in question", "S"))
    return [Headline(f"{100 * share:.0f}", sentence, symbol) for share, sentence, symbol in found]


def warnings(analysis: Analysis) -> list[str]:
    """Return sentences that a reader must have read before the numbers."""
    parts = [*([analysis.caution] if analysis.caution else []), *analysis.collapse]
    caution = [f"{part[0].upper()}{part[1:]}." for part in parts]
    if analysis.protocol != "oracle":
        return caution
    if analysis.t1_oracle is None:
        return [WARNING, *caution]
    return [
        *caution,
        f"{WARNING} T1_oracle is the highest T1 of any epoch, here of epoch {analysis.t1_oracle_epoch}, which need not "
        f"be the epoch of the other numbers.",
    ]


def answers_on_classes(analysis: Analysis, is_test: bool) -> list[Finding]:
    """Return the answers to questions about the recognition of classes.

    Where the analysed images are not those of the test, γ was chosen on them, so that nothing had to carry over.
    """
    return _answered({
        "Which unseen classes are recognised?": _recognised(analysis),
        "What do the seen classes cost, and how wrong are the mistakes?": _cost(analysis),
        "Did γ carry over to the test classes?": _gamma(analysis) if is_test else "",
        "How reliable are the probabilities?": _confidence(analysis.generalized),
        "Which images are refused?": refusals(analysis),
    })  # fmt: skip


def answers_on_attributes(analysis: Analysis, error_fall: ErrorFall | None) -> list[Finding]:
    """Return the answers to the questions of the paper: how evenly the attributes are learnt."""
    return _answered({
        "Which attributes are predicted worst?": _worst(analysis),
        "Does the error depend on the attribute's value?": _correlation(analysis),
        "Are attributes of high value learnt more slowly?": _learnt(error_fall, analysis.options.level),
    })  # fmt: skip


def _answered(answers: dict[str, str]) -> list[Finding]:
    return [Finding(question, answer) for question, answer in answers.items() if answer]


def _recognised(analysis: Analysis) -> str:
    known, count = analysis.generalized, len(analysis.classes)
    accuracy = known.accuracy_of
    unseen = [name for name, seen in zip(analysis.classes, analysis.is_seen, strict=True) if not seen]
    if not unseen:
        return (
            f"There are no test images of unseen classes. Images of seen classes are recognised in "
            f"{percent(known.accuracy)} of the cases, on average over {count} class{'' if count == 1 else 'es'}."
        )
    unseen.sort(key=lambda name: -accuracy[name])
    right = [f"“{name}” ({percent(accuracy[name])})" for name in unseen if accuracy[name] >= RECOGNISED]
    wrong = [
        f"“{name}” ({percent(accuracy[name])}{_mostly_chosen(analysis, name)})"
        for name in reversed(unseen)
        if accuracy[name] < RECOGNISED
    ]
    if len(unseen) == 1:
        share = "the only unseen class is" if right else "the only unseen class is not"
    elif right and wrong:
        share = f"{len(right)} of {len(unseen)} unseen classes {'is' if len(right) == 1 else 'are'}"
    else:
        share = f"{'all' if right else 'none of the'} {len(unseen)} unseen classes are"
    return (
        f"Among all {len(known.candidates)} classes, {share} recognised in at least half of "
        f"{'its' if len(unseen) == 1 else 'their'} images{f': {listed(right, NAMED)}' if right else ''}."
        + (f" Not recognised: {listed(wrong, NAMED)}." if wrong else "")
    )


def _mostly_chosen(analysis: Analysis, name: str) -> str:
    """Return the class as which most of the images of a wrongly recognised class are recognised."""
    known = analysis.generalized
    worst = known.most_confused(1, name)
    if not worst:
        return ""
    chosen = worst[0].chosen
    seen = dict(zip(analysis.classes, analysis.is_seen, strict=True)).get(chosen)
    kind = "" if seen is None else ", seen" if seen else ", unseen"
    return f", most often recognised as “{chosen}”{kind}, {percent(worst[0].share)}"


def _worst(analysis: Analysis) -> str:
    profile = analysis.attribute_errors
    mean = profile.mean_of_means
    if not mean:
        return "Every attribute is predicted without error."
    worst = [(analysis.attributes[row], float(profile.mean[row])) for row in profile.worst(NAMED - 1).tolist()]
    named = listed([f"“{name}” ({1000 * error:.1f}, {error / mean:.1f} × the mean)" for name, error in worst], NAMED)
    return (
        f"{named}. The mean over {len(analysis.attributes)} attributes is {1000 * mean:.1f}, their spread "
        f"{1000 * profile.spread_of_means:.1f} (standard deviation). All are squared differences, in thousandths, of "
        f"predicted and true attributes that are scaled to length 1. The Gini coefficient, 0 where all attributes are "
        f"predicted equally well and near 1 where a few have all the error, is {profile.gini_of_means:.2f}."
    )


def _correlation(analysis: Analysis) -> str:
    over_classes = analysis.correlation_over_classes.pearson
    within_class = analysis.correlation_over_attributes.pearson
    if math.isnan(over_classes.mean):
        return "This is undefined here, because values or errors are constant over the classes."
    verdict = "No clear relation over classes"
    if over_classes.mean_low > 0:
        verdict = "Yes: classes with a higher value of an attribute have a larger error in it"
    elif over_classes.mean_high < 0:
        verdict = "Yes, the other way round: classes with a higher value of an attribute have a smaller error in it"
    answer = (
        f"{verdict}: the correlation of value and error (Pearson's, from {MINUS}1 to 1) is "
        f"{signed(over_classes.mean)} on average over attributes "
        f"({100 * analysis.options.level:.0f}{UNIT} interval {signed(over_classes.mean_low)} to "
        f"{signed(over_classes.mean_high)}, {len(analysis.classes)} classes resampled)."
    )
    if math.isnan(within_class.mean):
        return answer
    return (
        f"{answer} Within a class, over its attributes, it is {signed(within_class.mean)} "
        f"({signed(within_class.mean_low)} to {signed(within_class.mean_high)})."
    )


def _learnt(fall: ErrorFall | None, level: float) -> str:
    if fall is None or math.isnan(fall.correlation_over_classes.pearson.mean):
        return ""
    correlation, rate = fall.correlation_over_classes.pearson, float(fall.rate.nanmean())
    slowly, fast = ("fall more slowly", "fall faster") if rate >= 0 else ("grow faster", "grow more slowly")
    verdict = "No clear relation"
    if correlation.mean_high < 0:
        verdict = f"Yes: errors {slowly} where the value is higher"
    elif correlation.mean_low > 0:
        verdict = f"No, the other way round: errors {fast} where the value is higher"
    return (
        f"{verdict}. On validation images errors changed by {signed(100 * math.expm1(-rate), 1)}{UNIT} per epoch on "
        f"average. The Pearson correlation of an attribute's value with the fall of its error is "
        f"{signed(correlation.mean)} on average over attributes ({100 * level:.0f}{UNIT} interval "
        f"{signed(correlation.mean_low)} to {signed(correlation.mean_high)})."
    )


def _cost(analysis: Analysis) -> str:
    """Return what the seen classes cost, how wrong the mistakes are, and which classes attract many images."""
    known = analysis.generalized
    mistakes, count = known.mistakes, len(known.mistakes.error)
    sentences = [_cost_of_seen(analysis)] if analysis.conventional is not None else []
    if not count:
        return " ".join([*sentences, "No image is mistaken for another class."])
    if mistakes.right_error > 0:
        ratio = float(mistakes.error.mean()) / mistakes.right_error
        sentences.append(f"Wrongly recognised images have {ratio:.1f} times the attribute error of the right ones.")
    where = f"In {percent(mistakes.nearest_share)} of the {count} mistakes the chosen class is"
    if count == 1:
        where = f"In the only mistake the chosen class is{'' if mistakes.nearest_share else ' not'}"
    sentences.append(f"{where} the one whose row in the semantics table is nearest to that of the true class.")
    if known.hubs:
        sentences.append(
            f"Classes that are among the {known.hubness.neighbours} best of unusually many images: "
            f"{listed([f'“{name}”' for name in known.hubs], NAMED)}."
        )
    return " ".join(sentences)


def _cost_of_seen(analysis: Analysis) -> str:
    t1 = f"Among unseen classes alone T1 is {percent(analysis.t1)}"
    if analysis.conventional is not None and len(analysis.conventional.candidates) == 1:
        t1 = f"With a single unseen class T1 is 100{UNIT} by construction"
    if not analysis.has_seen:
        return f"{t1}. There are no test images of seen classes."
    lost = _points(analysis.t1, analysis.point.unseen)
    cost = f"{lost} points less" if lost != "0.0" else "no less"
    return (
        f"{t1}. With the seen classes as candidates too, {percent(analysis.point.unseen)} of the images of unseen "
        f"classes are named right (U), {cost}. Of the images of seen classes it is {percent(analysis.point.seen)} (S)."
    )


def _points(high: float, low: float) -> str:
    """Return the difference of two shares in percent; it equals the difference of the printed shares."""
    return f"{round(100 * high, 1) - round(100 * low, 1):.1f}".replace("-0.0", "0.0").replace("-", MINUS)


def _gamma(analysis: Analysis) -> str:
    point, oracle = analysis.point, analysis.oracle
    if not (analysis.has_seen and analysis.has_unseen) or analysis.protocol == "oracle":
        return ""
    kept = point.harmonic_mean / oracle.harmonic_mean if oracle.harmonic_mean else 1.0
    verdict = "Yes" if kept > 0.95 else "Mostly" if kept > 0.85 else "No"
    gamma, best_gamma = (number(value, 2) for value in (point.gamma, oracle.gamma))
    answer = f"{verdict}: with γ = {gamma}, chosen without test images, H is {percent(point.harmonic_mean)}"
    more = _points(oracle.harmonic_mean, point.harmonic_mean)
    if more == "0.0":
        return f"{answer}, and no other γ would have given noticeably more on the test images."
    return (
        f"{answer}; the γ that is best on the test images, {best_gamma}, would have given "
        f"{percent(oracle.harmonic_mean)} (H_oracle), {more} points more. Published tables mostly report the latter."
    )


def _confidence(known: Recognition) -> str:
    diagram = known.reliability
    if math.isnan(diagram.overconfidence):
        return ""
    probability, right = diagram.mean_confidence, diagram.mean_accuracy
    by = _points(probability, right)
    side = f"{by.removeprefix(MINUS)} points too {'low' if by.startswith(MINUS) else 'high'}"
    return (
        f"On average, they are {side if by != '0.0' else 'right'}: the class that the model chooses has a probability "
        f"of {percent(probability)}, and it is the true class of {percent(right)} of the images. Errors in both "
        f"directions cancel in these averages. Among images of about the same probability, that probability is off by "
        f"{100 * diagram.ece:.1f} points in the mean, in either direction (expected calibration error, ECE)."
    )


def refusals(evaluation: Evaluation) -> str:
    """Return the shares of images that are refused as far from every description; empty where none can be refused."""
    shares = [
        f"{percent(share)} of the images of {kind} classes"
        for share, kind in ((evaluation.false_reject_seen, "seen"), (evaluation.false_reject_unseen, "unseen"))
        if not math.isnan(share)
    ]
    if not shares:
        return ""
    foreign = evaluation.false_accept
    accepted = "" if math.isnan(foreign) else f" Of the foreign images, {percent(foreign)} are accepted."
    return f"The model refuses images that are far from every description: {' and '.join(shares)}.{accepted}"
