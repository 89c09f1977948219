"""Profiles: named overlays of params.yaml; `python -m spinlock.profiles list | show | run`.

A profile stands in `profiles/NAME.yaml` and holds only what it changes: sections merge key by key,
anything else, a list above all, replaces what params.yaml says. `run` hands the changes to
`dvc exp run` as `-S` overrides, which are written in Hydra's grammar
(https://hydra.cc/docs/advanced/override_grammar/basic/): one for each key that is no section, so
that a list of dimensions arrives whole.
"""

import argparse
import difflib
import itertools
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from spinlock import check, params
from spinlock.refusals import Refusal

FOLDER = Path("profiles")

Tree = Mapping[str, object]


def names(folder: Path | None = None) -> tuple[str, ...]:
    """All profiles, or other overlays of a folder, by name."""
    return tuple(sorted(path.stem for path in (folder or FOLDER).glob("*.yaml")))


def load(name: str) -> dict[str, object]:
    """What a profile changes, once it is known to be right together with params.yaml.

    Raises:
        Refusal: there is no such profile, or what it says cannot be right; see `checked`.
    """
    path = find(FOLDER, name, "profile")
    return checked(params.read(path), path)


def find(folder: Path, name: str, what: str) -> Path:
    """The file of a name in a folder of such files; a name is no path.

    Raises:
        Refusal: there is none; the message suggests the nearest or lists all.
    """
    known = names(folder)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f", did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}"
        raise Refusal(f"no {what} '{name}'{hint}")
    return folder / f"{name}.yaml"


def checked(overlay: dict[str, object], place: Path | str) -> dict[str, object]:
    """An overlay again, if it is right together with params.yaml.

    Raises:
        Refusal: it names a key that does not exist, it asks Hydra to look something up, or the
            merged parameters cannot be right; see `check.check_tree`.
    """
    check.check_tree(merge(params.read(params.PATH), overlay), f"{params.PATH} with {place}")
    for text in overrides(overlay):
        if "${" in text:
            raise Refusal(f"{place}: {text}: '${{' asks Hydra to look something up; say a value")
    return overlay


def merge(tree: Tree, overlay: Tree) -> dict[str, object]:
    """Parameters with the changes of an overlay: sections merge, anything else is replaced."""
    merged = dict(tree)
    for key, value in overlay.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def overrides(overlay: Tree, prefix: str = "") -> Iterator[str]:
    """The changes as arguments of `dvc exp run -S`, such as `sample.num_operators=1000`."""
    for key, value in overlay.items():
        if isinstance(value, Mapping):
            yield from overrides(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}={_written(value)}"


def _written(value: object) -> str:
    """A value in Hydra's grammar; words in quotes, so that none is taken for a number."""
    match value:
        case Mapping():
            return "{" + ",".join(f"{key}:{_written(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(_written(item) for item in value) + "]"
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case _:
            return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def command(overlay: Tree, arguments: Sequence[str]) -> list[str]:
    """The call of DVC that runs the pipeline on a profile.

    Args:
        overlay: what the profile changes.
        arguments: further ones of `dvc exp run`, such as `--queue` or a stage.
    """
    changes = [word for text in overrides(overlay) for word in ("-S", text)]
    return [sys.executable, "-m", "dvc", "exp", "run", *changes, *arguments]


def head(path: Path) -> list[str]:
    """The comment at the head of an overlay, line by line; the first says what it is for."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line[2:] for line in itertools.takewhile(lambda line: line.startswith("# "), lines)]


def listed(folder: Path) -> str:
    """The names in a folder and what each is for."""
    known = names(folder)
    width = max(map(len, known), default=0)
    return "\n".join(f"{name:{width}}  {head(folder / f'{name}.yaml')[0]}" for name in known)


def main() -> int:
    """Answer, or run; a refusal is one line and exit status 2."""
    options = _parser().parse_args()
    try:
        return int(options.answer(options))
    except Refusal as refusal:
        print(f"profiles: {refusal}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m spinlock.profiles", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="all profiles and what they are for")
    listing.set_defaults(answer=_list)

    show = commands.add_parser("show", help="what a profile costs and changes")
    show.add_argument("name")
    show.set_defaults(answer=_show)

    run = commands.add_parser("run", help="`dvc exp run` on a profile")
    run.add_argument("name")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on to `dvc exp run`")
    run.set_defaults(answer=_run)
    return parser


def _list(options: argparse.Namespace) -> int:
    print(listed(FOLDER))
    return 0


def _show(options: argparse.Namespace) -> int:
    changes = overrides(load(options.name))
    about = head(find(FOLDER, options.name, "profile"))
    print("\n".join([*(f"# {line}" for line in about), *changes]))
    return 0


def _run(options: argparse.Namespace) -> int:
    return subprocess.run(command(load(options.name), options.arguments), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
