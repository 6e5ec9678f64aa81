"""`flashsight selftest`: three basic tests on shipped pictures, each with a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flashsight.cli.ask import refuse_pointless
from flashsight.cli.batch import HERE, Backend, backend_of
from flashsight.cli.batch_question import Asked
from flashsight.cli.figures import as_json, table, to_stdout
from flashsight.cli.interrupts import run_until_interrupted
from flashsight.cli.options import takes_settings
from flashsight.cli.terminal import EXIT_FAILED
from flashsight.core.settings import Effective
from flashsight.core.telemetry import configure_logging
from flashsight.core.types import Sampling
from flashsight.presets import Language

if TYPE_CHECKING:
    from flashsight.workbench.records import Result
    from flashsight.workbench.selftest import Trial

_MAX_TOKENS = 128


@takes_settings(*HERE, "api_key")
def selftest(
    *,
    effective: Effective,
    url: Annotated[str | None, typer.Option(help="test this OpenAI-compatible server")] = None,
    language: Annotated[Language, typer.Option(help="of the questions")] = "zh",
    json: Annotated[bool, typer.Option("--json", help="print each answer as JSON")] = False,
) -> None:
    """Ask about an object, a colour and a scene on shipped pictures; exit status 1 if a test fails. 三项基础自测。

    \b
    flashsight selftest
    flashsight selftest --model-path ~/models/GLM-4.6V-Flash --language en
    flashsight selftest --url http://127.0.0.1:8080
    """
    from flashsight.workbench.ask import Question
    from flashsight.workbench.selftest import TESTS, TITLES, read_trials

    refuse_pointless(effective, url)
    configure_logging(format="human", level="warning")
    question = Question(prompt="", schema=None, sampling=Sampling(max_tokens=_MAX_TOKENS))
    asked = Asked(question=question, config=effective.config, url=url, origin=None)
    trials = read_trials(language)
    with backend_of(asked, effective) as backend:
        results = run_until_interrupted(_answers(asked, backend, trials))
    verdicts = [trial.is_passed(result) for trial, result in zip(trials, results, strict=True)]
    by_test = {
        test: all(passed for trial, passed in zip(trials, verdicts, strict=True) if trial.test == test)
        for test in TESTS
    }
    rows = list(zip(trials, results, verdicts, strict=True))
    if json:
        answers = [
            {"test": one.test, "picture": one.picture, "question": one.question, "answer": _said(result), "passed": ok}
            for one, result, ok in rows
        ]
        print(as_json({"model": backend.model.name, "passed": by_test, "answers": answers}))
    else:
        lines = [
            (TITLES[one.test], one.picture, one.question, _said(result), "passed 通过" if ok else "FAILED 未通过")
            for one, result, ok in rows
        ]
        title = f"{sum(by_test.values())} of {len(by_test)} tests passed 项通过"
        to_stdout().print(table(title, ("test", "picture", "question", "answer", "verdict"), lines))
    if not all(by_test.values()):
        raise typer.Exit(EXIT_FAILED)


def _said(result: Result) -> str:
    return f"— {result.error.message}" if result.error is not None else result.answer or ""


async def _answers(asked: Asked, backend: Backend, trials: list[Trial]) -> list[Result]:
    from flashsight.processing.media import MediaGate
    from flashsight.workbench.ask import Asker
    from flashsight.workbench.selftest import PICTURES

    media = asked.config.media
    asker = Asker(
        MediaGate(media, offline=asked.config.offline),
        backend.chat,
        asked.question,
        root=PICTURES,
        max_bytes=media.max_bytes,
        max_pictures=media.max_pictures,
    )
    try:
        return [(await asker.ask(trial.case))[0] for trial in trials]
    finally:
        close = getattr(backend.chat, "aclose", None)
        if close is not None:
            await close()
