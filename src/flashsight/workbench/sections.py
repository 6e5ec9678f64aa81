"""The figures of a set of judged pictures: all of them, or one group. Knows neither the run nor the gold table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from flashsight.workbench.metrics import Judgement, attribute_accuracy
from flashsight.workbench.statistics import Figure, mean_share, quantile, share
from flashsight.workbench.texts import SIMILAR, bleu4

Json = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextJudgement:
    """How a text of one picture compares with the gold one; scores between 0 and 1. contradictions: as `红 ↔ 蓝`."""

    expected: str
    got: str
    bleu: float
    chrf: float
    similarity: float
    contradictions: tuple[str, ...] = ()

    @property
    def is_consistent(self) -> bool:
        """Whether it means the same: close by the encoder, and without a contradiction."""
        return self.similarity >= SIMILAR and not self.contradictions


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedCase:
    """One picture with what is right and wrong about its answer. error: why there is no answer.

    seconds: per picture of the case; None where nothing was measured (a duplicate, a failure).
    """

    id: str
    group: str | None
    fields: Mapping[str, Judgement]
    texts: Mapping[str, TextJudgement] = field(default_factory=dict)
    seconds: float | None = None
    error: str | None = None

    def as_dict(self) -> Json:
        """The case for JSON."""
        return asdict(self) | {"consistent": {name: text.is_consistent for name, text in self.texts.items()}}


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldFigures:
    """One attribute: the share of pictures where it is wholly right; for several labels the mean F1 too."""

    accuracy: Figure
    f1: Figure | None = None

    def as_dict(self) -> Json:
        """The figures for JSON."""
        return {"accuracy": self.accuracy.as_dict()} | ({"f1": self.f1.as_dict()} if self.f1 else {})


@dataclass(frozen=True, kw_only=True, slots=True)
class TextFigures:
    """One text: corpus BLEU-4, mean chrF and similarity, the share that is consistent, how many contradict."""

    bleu4: Figure
    chrf: Figure
    similarity: Figure
    consistency: Figure
    num_contradictory: int

    def as_dict(self) -> Json:
        """The figures for JSON."""
        names = ("bleu4", "chrf", "similarity", "consistency")
        return {name: getattr(self, name).as_dict() for name in names} | {"contradictory": self.num_contradictory}


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """All figures of a set of pictures. seconds_p50, seconds_p95: per picture; None where no time was kept."""

    num: int
    num_failed: int
    attributes: Figure
    fields: Mapping[str, FieldFigures]
    texts: Mapping[str, TextFigures]
    seconds_p50: Figure | None
    seconds_p95: Figure | None

    def as_dict(self) -> Json:
        """The section for JSON."""
        times = {"seconds_p50": self.seconds_p50, "seconds_p95": self.seconds_p95}
        return {
            "cases": self.num,
            "failed": self.num_failed,
            "attribute_accuracy": self.attributes.as_dict(),
            "fields": {name: figures.as_dict() for name, figures in self.fields.items()},
            "texts": {name: figures.as_dict() for name, figures in self.texts.items()},
            **{name: figure.as_dict() if figure else None for name, figure in times.items()},
        }


def section_of(cases: Sequence[JudgedCase], listed: frozenset[str], *, seed: int = 0) -> Section:
    """Figure out a set of pictures; `listed` names the fields of several labels."""
    seconds = [case.seconds for case in cases if case.seconds is not None]
    return Section(
        num=len(cases),
        num_failed=sum(case.error is not None for case in cases),
        attributes=attribute_accuracy([[one.is_right for one in case.fields.values()] for case in cases], seed=seed),
        fields={name: _field(cases, name, name in listed, seed) for name in _names([case.fields for case in cases])},
        texts={name: _text(cases, name, seed) for name in _names([case.texts for case in cases])},
        seconds_p50=quantile(seconds, 0.50, seed=seed) if seconds else None,
        seconds_p95=quantile(seconds, 0.95, seed=seed) if seconds else None,
    )


def _names(tables: Sequence[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(name for table in tables for name in table))


def _field(cases: Sequence[JudgedCase], name: str, is_listed: bool, seed: int) -> FieldFigures:
    judged = [case.fields[name] for case in cases if name in case.fields]
    accuracy = share(sum(one.is_right for one in judged), len(judged))
    f1 = mean_share([one.score for one in judged], seed=seed) if is_listed else None
    return FieldFigures(accuracy=accuracy, f1=f1)


def _text(cases: Sequence[JudgedCase], name: str, seed: int) -> TextFigures:
    judged = [case.texts[name] for case in cases if name in case.texts]
    return TextFigures(
        bleu4=bleu4([(one.expected, one.got) for one in judged], seed=seed),
        chrf=mean_share([one.chrf for one in judged], seed=seed),
        similarity=mean_share([one.similarity for one in judged], seed=seed),
        consistency=share(sum(one.is_consistent for one in judged), len(judged)),
        num_contradictory=sum(bool(one.contradictions) for one in judged),
    )
