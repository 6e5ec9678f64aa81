"""`flashsight demo`: how the built-in checkpoint `nano` is made, step by step, each from what the last one left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from flashsight.cli.terminal import to_stderr

demo = typer.Typer(name="demo", help="Make the built-in model yourself. 亲手训练内置的小模型。", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--material", metavar="FOLDER", help="what `flashsight demo material` fetched")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="folder of a training run")]


@demo.command()
def material(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="where it goes")],
    downloads: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="where the packages are kept; default: beside it")
    ] = None,
) -> None:
    """Fetch drawings, fonts and strings from package registries. 下载训练素材。

    Photographs are described by a teacher as well where its packages are installed (docs/nano.md).

    \b
    flashsight demo material ./material
    """
    from flashsight.demo.material import fetch

    fetch(folder, downloads=downloads)
    print(f"material in {folder}")


@demo.command()
def pages(
    folder: Folder,
    downloads: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="where the packages are kept; default: beside it")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="pages for training")] = 4600,
    seed: Annotated[int, typer.Option(help="another one, other pages")] = 0,
) -> None:
    """Add pages of UI kits, rendered by Chromium, to the material. 用真实浏览器渲染界面。

    \b
    flashsight demo pages --material ./material
    """
    from flashsight.demo.material.packages import unpack_all
    from flashsight.demo.pages.rendering import VALIDATION, render_pages

    unpacked = unpack_all(downloads or folder.with_name(f"{folder.name}-downloads"))
    num_bytes = render_pages(folder, unpacked, {"train": count, **VALIDATION}, seed, to_stderr().print)
    print(f"{num_bytes / 2**20:.1f} MiB of pages in {folder}")


@demo.command()
def tokenizer(
    folder: Folder,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="default: the package's own nano")] = None,
) -> None:
    """Build the tokenizer and the documents beside the weights. 生成词表和配置。

    \b
    flashsight demo tokenizer --material ./material
    """
    from flashsight.demo.commands import NANO, make_tokenizer

    print(f"{make_tokenizer(folder, out or NANO)} tokens in {out or NANO}")


@demo.command()
def train(
    run: Run,
    folder: Folder,
    minutes: Annotated[float, typer.Option(min=0.1, help="planned length of the whole run, over all its parts")] = 60.0,
    workers: Annotated[int, typer.Option(min=1, help="processes that draw pictures")] = 2,
    patches: Annotated[int, typer.Option(min=1024, help="patches of one batch")] = 128 * 1024,
    peak: Annotated[float, typer.Option(min=1e-6, help="highest learning rate")] = 1e-3,
    decay_share: Annotated[float, typer.Option(min=0.01, max=1.0, help="last share of the time: the rate falls")] = 0.6,
    weights: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="a checkpoint to go on from, when RUN holds no state")
    ] = None,
    seed: Annotated[int, typer.Option(help="another one, another run")] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="stop after so many steps")] = None,
) -> None:
    """Train from scratch or from a checkpoint, or go on where the run's folder stands. 训练,可中断后继续。

    Several GPUs: python -m torch.distributed.run --nproc-per-node 8 -m flashsight demo train RUN --material FOLDER

    \b
    flashsight demo train ./run --material ./material --minutes 60
    """
    from flashsight.demo.commands import Training, train_nano

    training = Training(
        material=folder,
        folder=run,
        seconds=minutes * 60,
        num_workers=workers,
        num_patches=patches,
        peak=peak,
        decay_share=decay_share,
        start=weights,
        seed=seed,
        max_steps=steps,
    )
    train_nano(training, lambda line: print(line, flush=True))


@demo.command()
def shards(
    run: Run,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="where the shards go")],
) -> None:
    """Write a run's state as int8 shards that travel well. 把训练结果存成小分片。

    \b
    flashsight demo shards ./run --out ./shards
    """
    from flashsight.demo.commands import export_state

    progress = export_state(run, out)
    print(f"shards in {out}: " + ", ".join(f"{name} {value:g}" for name, value in progress.items()))


@demo.command()
def evaluate(
    folder: Folder,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="where report.json, table.md and failures.json go")],
    model_path: Annotated[str, typer.Option(metavar="PATH", help="checkpoint")] = "nano",
    answers: Annotated[int, typer.Option(min=1, help="answers wanted for each row of the table")] = 100,
    seed: Annotated[int, typer.Option(help="another one, other pictures")] = 0,
) -> None:
    """Measure every promise on pictures that training never saw; print the table. 评测,逐项对照目标。

    \b
    flashsight demo evaluate --material ./material --out ./evaluation
    """
    from flashsight.demo.commands import evaluate_checkpoint

    told = to_stderr().print
    print(evaluate_checkpoint(model_path, folder, out, told, num_answers=answers, seed=seed))


@demo.command()
def card(
    evaluation: Annotated[Path, typer.Argument(metavar="EVALUATION", help="what `flashsight demo evaluate` wrote")],
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="the checkpoint; default: the package's own nano")
    ] = None,
) -> None:
    """Write a checkpoint's model card from its evaluation; print the figures in short. 由评测写模型卡。

    \b
    flashsight demo card ./evaluation
    """
    from flashsight.demo.commands import NANO, write_card

    print(write_card(evaluation, out or NANO))


@demo.command()
def package(
    shards: Annotated[Path, typer.Argument(metavar="SHARDS", help="what `flashsight demo shards` wrote")],
    card: Annotated[Path, typer.Option(metavar="FILE", help="the model card")],
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="default: the package's own nano")] = None,
) -> None:
    """Make a checkpoint the built-in one, with its card and manifest. 打包成内置模型。

    \b
    flashsight demo package ./shards --card MODEL_CARD.md
    """
    from flashsight.demo.commands import NANO
    from flashsight.demo.commands import package as join

    print(f"{join(shards, card, out or NANO) / 1e6:.1f} MB of weights in {out or NANO}")


@demo.command()
def export(
    hf: Annotated[Path, typer.Option("--hf", metavar="FOLDER", help="folder in Hugging Face layout")],
    model_path: Annotated[str, typer.Option(metavar="PATH", help="checkpoint")] = "nano",
    dtype: Annotated[
        Literal["float32", "bfloat16"], typer.Option(help="precision of the exported weights")
    ] = "float32",
) -> None:
    """Write the checkpoint so that transformers reads it. 导出为 transformers 格式。

    \b
    flashsight demo export --hf ./nano-hf
    """
    from flashsight.demo.export import export_hf

    to_stderr().print(f"reading {model_path}", style="dim")
    export_hf(model_path, hf, dtype=dtype)
    print(f"checkpoint in {hf}")
