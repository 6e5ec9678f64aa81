"""What a report's figures do not tell, and what to do next, in sentences that follow from the figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flashsight.workbench.claims import Finding
from flashsight.workbench.evaluate import Evaluation
from flashsight.workbench.report_tables import field_name
from flashsight.workbench.report_words import Language, sentence, word
from flashsight.workbench.statistics import Figure
from flashsight.workbench.verdicts import Verdict

_Z = 1.96
_HALF_WIDTH = 0.05


def limits_of(told: Evaluation, language: Language) -> list[str]:
    """The limits that apply to this evaluation."""
    return list(_limits(told, language))


def _limits(told: Evaluation, language: Language) -> Iterator[str]:
    yield sentence("limit_sample", language, num=told.overall.num)
    counted = (
        ("limit_failed", told.overall.num_failed),
        ("limit_unjudged", len(told.pairing.run_only)),
        ("limit_gold", len(told.pairing.gold_only)),
    )
    for key, num in counted:
        if num:
            yield sentence(key, language, num=num)
    if told.gold.unknown:
        yield sentence("limit_columns", language, names=_listed(told.gold.unknown, language))
    small = [name for name, one in told.groups.items() if one.attributes.is_too_few]
    if small:
        yield sentence("limit_groups", language, names=_listed(small, language))
    if told.overall.texts:
        yield sentence("limit_text", language)
        if told.usable is None:
            yield sentence("limit_ratings", language)
    if told.overall.seconds_p50 is not None:
        yield sentence("limit_time", language)
        if told.at_once > 1:
            yield sentence("limit_waiting", language, num=told.at_once)


def next_steps(
    verdicts: Sequence[Verdict], told: Evaluation, found: Sequence[Finding], language: Language
) -> list[str]:
    """What to do, the most important first. found: in the copies."""
    return list(_steps(verdicts, told, found, language))


def _steps(
    verdicts: Sequence[Verdict], told: Evaluation, found: Sequence[Finding], language: Language
) -> Iterator[str]:
    for one in verdicts:
        name = word(one.name, language)
        if one.light == "missed" and one.figure is not None:
            yield sentence("next_missed", language, name=name, goal=said(one, one.goal), value=said(one, _value(one)))
        if one.why == "waiting_why":
            yield sentence("next_sequential", language, run=told.run)
        elif one.light == "open" and one.name != "seconds" and one.figure is not None and one.figure.value is not None:
            key = "next_open_rated" if one.name == "usable" else "next_open"
            yield sentence(key, language, name=name, num=pictures_needed(one.figure.value))
    if found:
        example = f"{found[0].id[:40]}: {found[0].words[:40]}"
        pictures = len({one.id for one in found})
        yield sentence("next_claims", language, num=len(found), pictures=pictures, example=example)
    fields = [(name, figures.accuracy) for name, figures in told.overall.fields.items()]
    weakest = min(fields, key=lambda each: each[1].value or 0.0, default=None)
    if weakest is not None and (weakest[1].value or 0.0) < 1.0:
        called = field_name(weakest[0], told, language)
        yield sentence("next_field", language, name=called, value=_percent(weakest[1]))
    if told.overall.texts and told.usable is None:
        yield sentence("next_rate", language)
    if all(one.light == "met" for one in verdicts):
        yield sentence("next_go", language)


def pictures_needed(value: float) -> int:
    """How many pictures put a share's interval within 5 points either way (normal approximation), in tens."""
    spread = max(value * (1 - value), 0.05 * 0.95)
    return -(-int(_Z**2 * spread / _HALF_WIDTH**2) // 10) * 10


def said(one: Verdict, value: float) -> str:
    """A target's number in its unit."""
    return f"{value:.3g} s" if one.name == "seconds" else f"{100 * value:.1f}%"


def _value(one: Verdict) -> float:
    return (one.figure.value if one.figure is not None else None) or 0.0


def _percent(figure: Figure) -> str:
    return f"{100 * (figure.value or 0.0):.1f}%"


def _listed(names: Sequence[str], language: Language) -> str:
    shown = [name[:40] for name in names[:8]]
    return ("、" if language == "zh" else ", ").join(shown) + (" …" if len(names) > len(shown) else "")
