"""A report as one HTML page that needs nothing else: styles, charts and pictures inside, no script. Decides nothing.

Everything that comes from a run, a table or a person is escaped: text is made into markup in `element` alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html import escape

from flashsight.workbench.aigc import EXPLICIT, FIELD, label_of
from flashsight.workbench.charts import COLOURS, Bar, bar_chart
from flashsight.workbench.gallery import Exhibit
from flashsight.workbench.report import Report, name_of, review_words
from flashsight.workbench.report_limits import said
from flashsight.workbench.report_style import STYLE
from flashsight.workbench.report_tables import Cell, Measure, Table, cut, field_name, review_table
from flashsight.workbench.report_words import Language, sentence, word
from flashsight.workbench.sections import TextJudgement
from flashsight.workbench.statistics import Figure
from flashsight.workbench.verdicts import Verdict

_FIRST = 3
"""How many steps stand on the first page."""


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def element(name: str, *inside: str, **attributes: str) -> Html:
    """A tag around its content; what is not markup is escaped. An attribute's trailing _ is left out."""
    told = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{told}>{joined(*inside)}</{name}>")


def joined(*parts: str) -> Html:
    """Parts side by side; what is not markup is escaped."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def page_of(report: Report) -> str:
    """The whole page."""
    language = report.language
    head = joined(
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'),
        Html(f'<meta name="{FIELD}" content="{escape(label_of(report.runs[-1]))}">'),
        element("title", word("title", language)),
        element("style", Html(STYLE)),
    )
    body = element("main", *_sections(report), element("footer", _footer(report)))
    lang = "zh-CN" if language == "zh" else "en"
    return f'<!doctype html>\n<html lang="{lang}"><head>{head}</head><body>{body}</body></html>\n'


def _sections(report: Report) -> Iterator[Html]:
    yield _front(report)
    for table in report.tables:
        chart = _field_chart(report) if table.key == "fields" else Html("")
        note = element("p", word("claims_how", report.language), class_="note") if table.key == "claims" else ""
        yield _section(table.title, chart, _table(table, report), note)
    yield _section(word("gallery", report.language), *_gallery(report))
    if report.rounds:
        yield _section(word("rounds", report.language), _round_chart(report), *_rounds(report))
    yield _section(report.speed.title, _table(report.speed, report))
    if report.savings is not None:
        note = element("p", word("savings_how", report.language), class_="note")
        yield _section(report.savings.title, _table(report.savings, report), note)
    else:
        yield _section(word("savings", report.language), element("p", word("no_savings", report.language)))
    if report.review is not None:
        said_of_it = element("p", review_words(report.review, report.language))
        counted = _table(review_table(report.review, report.language), report)
        yield _section(word("review", report.language), said_of_it, _review_chart(report), counted)
    yield _section(word("limits", report.language), _list(report.limits), _note(report))
    if len(report.steps) > _FIRST:
        yield _section(word("next", report.language), _list(report.steps))


def _list(lines: object) -> Html:
    assert isinstance(lines, list | tuple)
    return element("ul", *(element("li", line) for line in lines))


def _note(report: Report) -> Html:
    return element("p", word("interval", report.language), class_="note")


def _section(title: str, *inside: str) -> Html:
    return element("section", element("h2", title), *inside)


def _front(report: Report) -> Html:
    language, last = report.language, report.runs[-1]
    model = last.manifest.model
    facts = " · ".join(
        (
            f"{word('model', language)}: {cut(model.called, 60)}",
            f"{word('run', language)}: {name_of(last)}",
            f"{word('pictures', language)}: {report.told.overall.num}",
            f"{word('against', language)}: {cut(report.told.gold.file.rpartition('/')[2], 60)}",
            f"{word('made', language)}: {report.made}",
        )
    )
    rows = [_verdict(one, report) for one in report.verdicts]
    header = element("tr", *(element("th", word(key, language)) for key in ("target", "goal", "result", "verdict")))
    return element(
        "section",
        element("h1", word("title", language)),
        element("p", facts, class_="facts"),
        element("p", f"{word('ai', language)}", class_="label"),
        element("h2", word("verdicts", language)),
        element("p", _summary(report), class_="summary"),
        element("table", element("thead", header), element("tbody", *rows), class_="verdicts"),
        element("h2", word("next", language)),
        _list(report.steps[:_FIRST]),
        class_="front",
    )


def _summary(report: Report) -> str:
    lights = Counter(one.light for one in report.verdicts)
    told = {light: lights[light] for light in ("met", "missed", "open")}
    return sentence("summary", report.language, num=len(report.verdicts), **told)


def _verdict(one: Verdict, report: Report) -> Html:
    language, unit = report.language, "seconds" if one.name == "seconds" else "share"
    sign = "≤" if one.name == "seconds" else "≥"
    light = element("span", "●", class_=f"light {one.light}", aria_hidden="true")
    return element(
        "tr",
        element("td", word(one.name, language)),
        element("td", f"{sign} {said(one, one.goal)}", class_="goal"),
        element("td", figure_words(one.figure, unit, report)),
        element("td", light, " ", element("b", word(one.light, language)), f" — {word(one.why, language)}"),
    )


def figure_words(figure: Figure | None, unit: str, report: Report) -> str:
    """A figure with its interval and what it counts."""
    if figure is None or figure.value is None:
        return "—"

    def plain(value: float) -> str:
        if unit == "share":
            return f"{100 * value:.1f}"
        return f"{value:.3g}" if unit == "seconds" else f"{value:,.0f}"

    suffix = {"share": "%", "seconds": " s", "number": ""}[unit]
    told = plain(figure.value) + suffix
    if figure.low is not None and figure.high is not None:
        told += f" [{plain(figure.low)}, {plain(figure.high)}]"
    if figure.hits is not None:
        told += f" {figure.hits}/{figure.num}"
    if unit == "share" and figure.is_too_few:
        told += f" · {word('few', report.language)}"
    return told


def cell_words(cell: Cell, report: Report) -> str:
    """A cell as people read it."""
    if isinstance(cell, Measure):
        return figure_words(cell.figure, cell.unit, report)
    return cell if isinstance(cell, str) else f"{cell:,}"


def _table(table: Table, report: Report) -> Html:
    header = element("tr", *(element("th", name) for name in table.header))
    rows = [
        element("tr", *(element("td", cell_words(cell, report), **_kind(cell)) for cell in row)) for row in table.rows
    ]
    return element("table", element("thead", header), element("tbody", *rows))


def _kind(cell: Cell) -> dict[str, str]:
    return {} if isinstance(cell, str) else {"class_": "figure"}


def _field_chart(report: Report) -> Html:
    goal = next((one.goal for one in report.verdicts if one.name == "attributes"), None)
    bars = [
        Bar(
            name=field_name(name, report.told, report.language),
            value=one.accuracy.value or 0.0,
            low=one.accuracy.low,
            high=one.accuracy.high,
        )
        for name, one in list(report.told.overall.fields.items())[:16]
    ]
    return element(
        "figure", Html(bar_chart(bars, title=word("fields", report.language), target=goal, x_words=_percent))
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _round_chart(report: Report) -> Html:
    bars = [
        Bar(name=f"{number}. {name}", value=one.value or 0.0, low=one.low, high=one.high, colour=COLOURS[1])
        for number, (name, one) in enumerate(report.by_round, 1)
    ]
    return element("figure", Html(bar_chart(bars, title=word("attributes", report.language), x_words=_percent)))


def _review_chart(report: Report) -> Html:
    assert report.review is not None
    words = {key: word(key, report.language) for key in ("review", "review_x", "review_y", "by_doubt", "at_random")}
    drawn = report.review.chart(
        title=words["review"],
        x_label=words["review_x"],
        y_label=words["review_y"],
        names=(words["by_doubt"], words["at_random"]),
    )
    return element("figure", Html(drawn))


def _rounds(report: Report) -> Iterator[Html]:
    for table in report.rounds:
        if table.key == "changes":
            yield element("h3", table.title)
            diff = next((lines for name, lines in report.prompt_diffs if name == table.title), ())
            if diff:
                yield element("p", word("changed_prompt", report.language), class_="note")
                yield element("pre", cut("\n".join(diff), 2000))
        yield _table(table, report)


def _gallery(report: Report) -> Iterator[Html]:
    for place, row in report.exhibits.items():
        if row:
            yield element("h3", word(place, report.language))
            yield element("div", *(_exhibit(one, report) for one in row), class_="row")


def _exhibit(one: Exhibit, report: Report) -> Html:
    language = report.language
    picture = (
        Html(f'<img src="{escape(one.jpeg)}" alt="{escape(one.id)}">')
        if one.jpeg is not None
        else element("p", word("no_picture", language), class_="gone")
    )
    lines = []
    for name, judged in list(one.case.fields.items())[:8]:
        mark = "✓" if judged.is_right else "✗"
        wanted = "" if judged.is_right else f" ({word('right', language)}: {cut(judged.expected, 80)})"
        lines.append(element("li", f"{mark} {field_name(name, report.told, language)}: {cut(judged.got, 80)}{wanted}"))
    lines += [element("li", _copy_words(text, language)) for text in list(one.case.texts.values())[:2]]
    found = [f"{word(f'reason_{each.reason}', language)}: {each.words}" for each in report.found if each.id == one.id]
    lines += [element("li", f"! {cut(said_of_it, 80)}") for said_of_it in found[:3]]
    if one.case.error is not None:
        lines.append(element("li", f"✗ {cut(one.case.error, 160)}"))
    caption = element("figcaption", element("b", cut(one.id, 60)), element("ul", *lines))
    return element("figure", picture, caption)


def _copy_words(text: TextJudgement, language: Language) -> str:
    mark = "✓" if text.is_consistent else "✗"
    why = (
        f" ({word('contradicts', language)}: {cut('; '.join(text.contradictions), 80)})" if text.contradictions else ""
    )
    wanted = "" if text.is_consistent else f" ({word('right', language)}: {cut(text.expected, 120)})"
    return f"{mark} {word('copy', language)}: {cut(text.got, 160)}{why}{wanted}"


def _footer(report: Report) -> str:
    manifest = report.runs[-1].manifest
    versions = ", ".join(f"{name} {version}" for name, version in manifest.versions.items())
    weights, prompt = cut(manifest.model.weights_id or "—", 40), manifest.prompt_sha256[:16]
    return f"{EXPLICIT} · {cut(versions, 120)} · weights {weights} · prompt sha256 {prompt}"
