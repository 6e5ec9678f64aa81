"""`flashsight batch`: one question about many pictures, every answer kept in the folder of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from flashsight.cli.batch_progress import shown, summary
from flashsight.cli.batch_question import Asked, Given, asked_of
from flashsight.cli.interrupts import run_until_interrupted
from flashsight.cli.options import settings_of, takes_settings
from flashsight.cli.parts import load_parts
from flashsight.cli.terminal import EXIT_FAILED, to_stderr
from flashsight.core.errors import ConfigError
from flashsight.core.settings import Effective
from flashsight.core.telemetry import configure_logging
from flashsight.presets import Language

if TYPE_CHECKING:
    from flashsight.service import ChatBackend
    from flashsight.workbench.records import Case, ModelRecord, Run
    from flashsight.workbench.source import Source

Mode = Literal["sequential", "parallel", "queued"]

UPSTREAM_PARALLEL, UPSTREAM_QUEUED = 8, 128
"""How many cases another server is sent at a time: its own limits are not known here."""

HERE = tuple(name for name in settings_of("model", "engine", "media", None) if name != "log_format")
"""The settings that steer what answers in this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Who answers, and how many at a time in the modes `parallel` and `queued`."""

    chat: ChatBackend
    model: ModelRecord
    parallel: int
    queued: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the cases come from and where the run goes."""

    source: Path | None
    out: Path
    column: str | None
    near_once: bool = False


@takes_settings(*HERE, "api_key", "presets_folder")
def batch(
    *,
    effective: Effective,
    source: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER|TABLE]", help="pictures, or a CSV, Excel or JSONL file with paths")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="RUN", help="folder of the run; the same one again goes on with it")],
    prompt: Annotated[str | None, typer.Option(help="the question about each case")] = None,
    preset: Annotated[str | None, typer.Option(help="a scene: its prompt, schema and sampling; see presets")] = None,
    language: Annotated[Language | None, typer.Option(help="of the preset's prompt; default: zh")] = None,
    schema: Annotated[str | None, typer.Option(help="file with a JSON schema, or a preset's name for its own")] = None,
    mode: Annotated[
        Mode, typer.Option(help="one at a time; as many as the engine takes; all into the engine's own queue")
    ] = "parallel",
    origin: Annotated[
        Path | None, typer.Option("--from", metavar="RUN", help="repeat this run; what is given here changes it")
    ] = None,
    column: Annotated[str | None, typer.Option(help="column of the table that holds the paths")] = None,
    url: Annotated[str | None, typer.Option(help="ask this OpenAI-compatible server")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="longest answer, in tokens; default: 512")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, max=2.0, help="default: 0, the likeliest words")] = None,
    seed: Annotated[int | None, typer.Option(help="draw the same words again")] = None,
    thinking: Annotated[bool | None, typer.Option("--thinking/--no-thinking", help="let the model think first")] = None,
    near_once: Annotated[bool, typer.Option("--near-once", help="ask once about pictures that look the same")] = False,
    excel: Annotated[bool, typer.Option("--excel", help="write results.xlsx with thumbnails too")] = False,
    evidence: Annotated[bool, typer.Option("--evidence", help="ask where each field is seen: boxes, if any")] = False,
) -> None:
    """Ask the same about a folder of pictures, or about the rows of a table. 批量处理:一个文件夹或一张表。

    Every answer is kept as it comes; after any stop the same command goes on. Results: RUN/results.jsonl and .csv.

    \b
    flashsight batch ./pictures --preset product --out runs/first
    flashsight batch goods.xlsx --column 图片 --prompt "写一句卖点" --out runs/copy --excel
    flashsight batch --from runs/first --prompt "618 大促,描述图中的商品" --out runs/second
    flashsight batch ./pictures --out runs/other --url http://10.0.0.5:8000 --served-name qwen3-vl
    """
    level = effective.settings.log_level if effective.origins["log_level"] != "default" else "warning"
    configure_logging(format="human", level=level)
    given = Given(prompt, preset, language, schema, url, max_tokens, temperature, seed, thinking, evidence)
    asked = asked_of(effective, given, origin)
    if (source is None) == (origin is None):
        raise ConfigError("name a folder or a table, or the run to repeat with --from; one of them")
    if excel:
        from flashsight.workbench.extras import library

        library("xlsxwriter")
    _carry_out(asked, effective, _Place(source=source, out=out, column=column, near_once=near_once), mode, excel=excel)


def _carry_out(asked: Asked, effective: Effective, place: _Place, mode: Mode, *, excel: bool) -> None:
    known = _known(place)
    if known is not None and known.is_complete:
        run = _open(asked, known.manifest.model, place, known)
    else:
        with backend_of(asked, effective) as backend:
            run = _open(asked, backend.model, place, known)
            _until_stopped(asked, backend, run, mode)
    _end(run, excel=excel)


@contextmanager
def backend_of(asked: Asked, effective: Effective) -> Iterator[Backend]:
    """Who answers, as long as the block runs: another server, or the engine of this process."""
    from flashsight.workbench.records import ModelRecord

    config = asked.config
    if asked.url is not None:
        from flashsight.service.upstream import UpstreamBackend

        keys = effective.settings.api_key
        upstream = UpstreamBackend(asked.url, model=config.model.served_name, api_key=keys[0] if keys else None)
        model = ModelRecord(name=config.model.served_name, url=upstream.base)
        yield Backend(chat=upstream, model=model, parallel=UPSTREAM_PARALLEL, queued=UPSTREAM_QUEUED)
        return
    with ExitStack() as stack:
        with to_stderr().status("loading libraries") as spinner:
            parts = load_parts(config, spinner.update)
            stack.callback(parts.engine.stop)
        limits = parts.plan.limits
        model = ModelRecord(
            name=config.model.served_name,
            path=config.model.path,
            weights_id=parts.loaded.weights_id,
            precision=str(parts.loaded.dtype).removeprefix("torch."),
            device=parts.loaded.device.type,
        )
        queued = limits.max_sequences + config.engine.max_waiting
        yield Backend(chat=parts.backend, model=model, parallel=limits.max_sequences, queued=queued)


def _known(place: _Place) -> Run | None:
    """The run to go on with, before anything is loaded; without one, see that there is something to ask about."""
    from flashsight.workbench.records import open_run

    if (place.out / "manifest.json").is_file():
        return open_run(place.out)
    if place.source is not None:
        _cases(place)
    return None


def _cases(place: _Place) -> Source:
    from flashsight.workbench.source import read_source

    assert place.source is not None, "a run has a source or repeats another"
    return read_source(place.source, column=place.column, without=place.out)


def _source(asked: Asked, place: _Place) -> Source:
    """The cases without their hashes."""
    from flashsight.workbench.source import Source

    if asked.origin is None:
        return _cases(place)
    said = asked.origin.manifest.source
    return Source(path=Path(said.path), root=Path(said.root), cases=tuple(asked.origin.cases()))


def _open(asked: Asked, model: ModelRecord, place: _Place, known: Run | None) -> Run:
    """Go on with the run that is known, or begin it."""
    from flashsight.workbench.plan import manifest_of
    from flashsight.workbench.run import begin, resume
    from flashsight.workbench.source import with_hashes

    source = _source(asked, place)
    manifest = manifest_of(
        asked.question,
        model,
        asked.config.media,
        path=source.path,
        root=source.root,
        num_cases=len(source.cases),
    )
    is_repeated = asked.origin is not None and asked.origin.manifest.near_once
    manifest = replace(manifest, near_once=place.near_once or is_repeated)
    if known is not None:
        return resume(known, manifest)
    if source.left_out:
        files = ", ".join(f"{num} {ending}" for ending, num in source.left_out.items())
        to_stderr().print(
            f"left out, as they are not read here 未读取: {files}; convert them to JPEG or PNG", style="yellow"
        )
    words = "reading pictures 读取图片"
    with to_stderr().status(words) as spinner:
        cases = _likened(asked, source) if place.near_once else source.cases
        hashed = with_hashes(cases, source.root, seen=lambda count: spinner.update(f"{words} {count}"))
        return begin(place.out, manifest, hashed)


def _likened(asked: Asked, source: Source) -> list[Case]:
    from flashsight.processing.media import MediaGate
    from flashsight.workbench.near import with_likeness

    media = asked.config.media
    return run_until_interrupted(with_likeness(source.cases, source.root, MediaGate(media), max_bytes=media.max_bytes))


def _until_stopped(asked: Asked, backend: Backend, run: Run, mode: Mode) -> None:
    try:
        run_until_interrupted(_go(asked, backend, run, mode))
    except KeyboardInterrupt:
        to_stderr().print(f"stopped 已停止; what was answered is saved in {run.folder}, the same command goes on")
        raise


async def _go(asked: Asked, backend: Backend, run: Run, mode: Mode) -> None:
    from flashsight.processing.media import MediaGate
    from flashsight.workbench.ask import Asker
    from flashsight.workbench.run import BatchRun

    media = asked.config.media
    asker = Asker(
        MediaGate(media, offline=asked.config.offline),
        backend.chat,
        asked.question,
        root=Path(run.manifest.source.root),
        max_bytes=media.max_bytes,
        max_pictures=media.max_pictures,
    )
    in_flight = {"sequential": 1, "parallel": backend.parallel, "queued": backend.queued}[mode]
    with shown(backend.model.device) as watch:
        try:
            await BatchRun(run).go(asker, in_flight=in_flight, watch=watch)
        finally:
            close = getattr(backend.chat, "aclose", None)
            if close is not None:
                await close()


def _end(run: Run, *, excel: bool) -> None:
    from flashsight.workbench.aigc import write_label
    from flashsight.workbench.export import write_csv, write_excel
    from flashsight.workbench.records import RunError

    results = run.folder / "results.jsonl"
    try:
        write_csv(run, run.folder / "results.csv")
        write_label(run)
        if excel:
            write_excel(run, run.folder / "results.xlsx")
    except RunError as error:
        where = f"All answers are saved in {results}; the same command writes what is missing"
        raise RunError(f"{error.message}. {where}", code=error.code) from None
    outcome = summary(run)
    to_stderr().print(outcome.words)
    for reason in outcome.reasons:
        to_stderr().print(escape(reason))
    print(results)
    if not outcome.num_answered:
        raise typer.Exit(EXIT_FAILED)
