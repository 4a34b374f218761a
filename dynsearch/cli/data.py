"""``dynsearch data``: the data sets that are known, and whether a copy of one is in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynsearch.cli import options
from dynsearch.cli.data_caches import caches

if TYPE_CHECKING:
    from dynsearch.data.catalogue import DatasetInfo
    from dynsearch.data.check import CheckReport
    from dynsearch.study.recipe import StudyRecipe
    from dynsearch.study.run_settings import RunSettings

_dataset = click.option(
    "--dataset", help="Name of the data set; `dynsearch data list` shows them. Default: the recipe's."
)
_recipe = click.option(
    "--recipe",
    "recipe_file",
    help="Take data set, splits, frames and size of this recipe: a name, or a .yaml file.",
)
_seed = click.option(
    "--seed", type=click.IntRange(min=0), help="Draws the calibration split. Default: the recipe's, or 0."
)
_workers = click.option(
    "--workers", type=click.IntRange(min=0), help="Worker processes. Default: one per processor core."
)
_MAX_ROWS = 20


@click.group()
def data() -> None:
    """Show the known data sets, check a copy of one, or prepare it for fast reading."""


data.add_command(caches)


@data.command("list")
@options.plugins
@options.as_json
def list_datasets(as_json: bool) -> None:
    """Show every known data set: classes, sizes, files expected, licence and where to get it."""
    from dynsearch.data.catalogue import DATASETS
    from dynsearch.data.home import dataset_root
    from dynsearch.scores.metrics import TITLES

    infos = [DATASETS[name] for name in DATASETS]
    roots = {info.name: str(dataset_root(info.name)) for info in infos}
    if as_json:
        entries = [_described(info) | {"default_root": roots[info.name]} for info in infos]
        click.echo(json.dumps(entries, indent=1))
        return
    for info in infos:
        sizes = [f"{count:,} {split}" for split, count in info.num_videos.items()]
        known = (
            f"{info.num_classes} classes; {', '.join(sizes)} videos" if sizes else "any classes and videos"
        )
        click.echo(f"{info.name}: {info.title}")
        click.echo(f"  {known}; {100 * info.calibration_fraction:.0f}% of train calibrates by default")
        click.echo(f"  measure  {', '.join(TITLES[name] for name in info.metrics)}")
        click.echo(f"  splits   {info.splits}")
        click.echo(f"  files    {info.layout}")
        click.echo(f"  licence  {info.licence_page}")
        click.echo(f"  get it   {info.how_to_get}")
        click.echo(f"  looks in {roots[info.name]}, or --data-root\n")
    click.echo("Licences are what those pages say, which was not checked here: read them before use.")


def _described(info: DatasetInfo) -> dict[str, Any]:
    import dataclasses

    hidden = ("read", "everything", "generate", "variant", "may_vanish")
    names = [field.name for field in dataclasses.fields(info) if field.name not in hidden]
    return {name: getattr(info, name) for name in names}


@data.command()
@options.plugins
@_dataset
@_recipe
@options.data_root
@_seed
@click.option(
    "--split-files",
    is_flag=True,
    help="Parts of one file may be in several splits, as a recipe with `split_files: true` says.",
)
@options.allow_outside
@click.option(
    "--min-frames", type=click.IntRange(min=1), default=1, show_default=True, help="Fewer are too short."
)
@click.option(
    "--csv",
    "csv_path",
    type=options.UserPath(path_type=Path, dir_okay=False),
    help="Write the problems there.",
)
@options.force
@options.reader
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    help="A video that takes longer is reported as unreadable.",
)
@click.option("--fresh", is_flag=True, help="Read all videos again, also those an earlier check has read.")
@_workers
@options.quiet
@options.as_json
def check(
    dataset: str | None,
    recipe_file: str | None,
    data_root: Path | None,
    seed: int | None,
    split_files: bool,
    allow_outside: bool | None,
    min_frames: int,
    csv_path: Path | None,
    force: bool,
    reader: str | None,
    seconds: float,
    fresh: bool,
    workers: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Read every video and report what is missing, unreadable, too short, a duplicate, or in two splits.

    Of files in two splits, the same content under two labels and classes with hardly any videos it tells for the
    splits that a study by the recipe makes. Interrupted, the same command goes on. Exit code 1 when something is wrong.
    """
    from dynsearch.api.bars import counting
    from dynsearch.data.check import OWN_CSV, check_dataset
    from dynsearch.data.home import dataset_root
    from dynsearch.files import check_outputs

    asked, run = _asked_for(
        recipe_file,
        dataset=dataset,
        seed=seed,
        reader=reader,
        split_files=split_files or None,
        allow_outside=allow_outside,
    )
    check_outputs([(csv_path, OWN_CSV)], [dataset_root(asked.dataset, data_root), recipe_file], force=force)
    with counting("checking", quiet=quiet or as_json) as progress:
        report = check_dataset(
            asked.dataset,
            data_root,
            min_frames=min_frames,
            reader=run.reader,
            num_workers=workers,
            seconds_per_video=seconds,
            fresh=fresh,
            **asked.splitting,
            allow_outside=run.allow_outside,
            progress=progress,
        )
    if csv_path is not None:
        report.write_csv(csv_path)
    if as_json:
        click.echo(json.dumps(_as_dict(report), indent=1))
    else:
        _print(report, csv_path)
    if report.problems:
        raise click.exceptions.Exit(1)


@data.command()
@options.plugins
@_dataset
@_recipe
@options.data_root
@options.allow_outside
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    help="Frames kept of each video. Default: the recipe's or the data set's.",
)
@click.option(
    "--size", type=click.IntRange(min=1), help="Side in pixels of the square kept. Default: the data set's."
)
@_seed
@click.option(
    "--max-gb",
    type=click.FloatRange(min=0, min_open=True),
    default=200.0,
    show_default=True,
    help="A larger cache is refused, in 10^9 bytes.",
)
@click.option(
    "--max-bad-videos",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.01,
    show_default=True,
    help="Share of the training videos that may be unreadable.",
)
@options.reader
@_workers
@options.quiet
def prepare(
    dataset: str | None,
    recipe_file: str | None,
    data_root: Path | None,
    allow_outside: bool | None,
    frames: int | None,
    size: int | None,
    seed: int | None,
    max_gb: float,
    max_bad_videos: float,
    reader: str | None,
    workers: int | None,
    quiet: bool,
) -> None:
    """Make the frame cache of every split, so that a study decodes nothing.

    The embedded data set is made first where it is absent. A study uses the cache that was made with its recipe, or
    with the same frames, size, seed and share for calibration.
    """
    from dynsearch.api.bars import counting
    from dynsearch.data.catalogue import get_info, open_dataset
    from dynsearch.data.frame_cache import cache_bytes, check_limit, make_frame_cache
    from dynsearch.data.home import dataset_root

    asked, run = _asked_for(
        recipe_file, dataset=dataset, seed=seed, reader=reader, allow_outside=allow_outside
    )
    info, kept = get_info(asked.dataset), asked.frame_cache
    frames = frames or (kept.num_frames if kept else info.cache_frames)
    size = size or (kept.size if kept else info.cache_size)
    generate = info.generate
    if generate is not None:
        with counting(f"making {asked.dataset}", quiet=quiet) as progress:
            generate(dataset_root(asked.dataset, data_root), num_workers=workers, progress=progress)
    opened = open_dataset(
        asked.dataset,
        data_root,
        **asked.splitting,
        allow_outside=run.allow_outside,
    )
    sizes = [len(records) for records in opened.splits.values()]
    needed = cache_bytes(sum(sizes), frames, size) / 1e9
    for note in opened.notes:
        click.echo(note)
    click.echo(f"{asked.dataset}: {opened.root}, frame cache of {needed:.3g} GB")
    check_limit(sizes, frames, size, max_gb)
    for split, records in opened.splits.items():
        with counting(split, quiet=quiet) as progress:
            cache = make_frame_cache(
                records,
                name=f"{asked.dataset}-{split}",
                num_frames=frames,
                size=size,
                resize=asked.training.resize,
                reader=run.reader,
                max_bad_videos=max_bad_videos if split == "train" else 0.0,
                num_workers=workers,
                progress=progress,
            )
        click.echo(f"{split}: {len(records)} videos in {cache.path}")
        for index, reason in sorted(cache.bad.items()):
            click.echo(f"  left out of training: {records[index].path}: {reason}")


def _asked_for(recipe_file: str | None, **changes: Any) -> tuple[StudyRecipe, RunSettings]:
    """Return the recipe whose data are to be prepared; without one, the data set with all else at its default."""
    from dynsearch.measures import COUNTED
    from dynsearch.study.recipe_file import load_recipe, split_settings

    if recipe_file is not None:
        return load_recipe(recipe_file, overrides=changes)
    if changes["dataset"] is None:
        raise click.UsageError("Give --dataset (for instance motions) or --recipe.")
    given = {field: value for field, value in changes.items() if value is not None}
    run = {field: given.pop(field) for field in ("reader", "allow_outside") if field in given}
    return split_settings({"space": "", COUNTED.budget_name: 1, **given, "run": run})


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _as_dict(report: CheckReport) -> dict[str, Any]:
    import dataclasses

    return {**dataclasses.asdict(report), "counts": report.counts()}


def _print(report: CheckReport, csv_path: Path | None) -> None:
    from dynsearch.data.records import without_group_text
    from dynsearch.display.tables import format_table

    sizes = ", ".join(f"{count} {split}" for split, count in report.num_videos.items())
    grouped = f" and {_counted(len(report.groups), 'group')}" if report.groups else ""
    click.echo(f"{sum(report.num_videos.values())} videos ({sizes}) of {report.num_classes} classes{grouped}")
    if report.without_group:
        click.echo(without_group_text(report.without_group))
    for note in report.notes:
        click.echo(note)
    if report.num_resumed:
        click.echo(f"{report.num_resumed} of them are unchanged since an earlier check; --fresh reads all")
    if not report.problems:
        click.echo(f"Nothing is wrong with {'the videos themselves' if report.notes else 'them'}.")
        return
    click.echo(format_table([{"problem": kind, "videos": str(n)} for kind, n in report.counts().items()]))
    rows = [
        {
            "problem": found.kind,
            "split": found.split,
            "video": found.video_id,
            "duplicate of": found.duplicate_of,
            "reason": found.detail,
        }
        for found in report.problems[:_MAX_ROWS]
    ]
    click.echo("\n" + format_table(rows))
    hidden = len(report.problems) - len(rows)
    if hidden:
        click.echo(f"and {hidden} more: " + (f"see {csv_path}" if csv_path else "give --csv FILE for all"))
