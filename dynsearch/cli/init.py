"""``dynsearch init``: a recipe and a search space for one's own videos."""

from pathlib import Path

import click

from dynsearch.cli import options


@click.command(short_help="Write a recipe and a search space that fit a folder of videos.")
@click.argument("folder", type=options.UserPath(path_type=Path))
@click.option("--name", help="Of the recipe NAME.yaml and the space NAME-space.yaml. Default: the folder's.")
@click.option(
    "--weights",
    type=options.UserPath(path_type=Path, exists=True),
    help="Start backbones from this file, not timm's.",
)
@options.force
def init(folder: Path, name: str | None, weights: Path | None, force: bool) -> None:
    """Look at the videos in FOLDER, a folder for each class or lists, and write a recipe and a space for them.

    They fit the number, length and size of the videos; both files are yours to change.
    """
    import re
    import shlex

    from dynsearch.files import check_outputs, write_text, yaml_text
    from dynsearch.study.own_recipe import fitting

    root = folder.absolute()
    name = name or re.sub(r"[^\w.-]+", "-", root.name).strip("-.") or "videos"
    recipe_file, space_file = Path(f"{name}.yaml"), Path(f"{name}-space.yaml")
    check_outputs([(recipe_file, "(?!)"), (space_file, "(?!)")], [], force=force)
    recipe, space, said = fitting(root)
    if weights is not None:
        recipe["training"] |= {"pretrained": False, "weights": str(weights.absolute())}
    for line in said:
        click.echo(line)
    write_text(space_file, yaml_text(space))
    write_text(recipe_file, yaml_text({"dataset": recipe.pop("dataset"), "space": str(space_file), **recipe}))
    click.echo(f"{recipe_file}, {space_file}: go on with")
    click.echo(
        f"  dynsearch study --recipe {shlex.quote(str(recipe_file))} --data-root {shlex.quote(str(root))}"
    )
