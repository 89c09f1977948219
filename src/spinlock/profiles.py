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


def names() -> tuple[str, ...]:
    """All profiles, by name."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load(name: str) -> dict[str, object]:
    """What a profile changes, once it is known to be right together with params.yaml.

    Raises:
        Refusal: there is no such profile, it names a key that does not exist, it asks Hydra to look
            something up, or the merged parameters cannot be right; see `check.check_tree`.
    """
    path = _path(name)
    overlay = params.read(path)
    check.check_tree(merge(params.read(params.PATH), overlay), f"{params.PATH} with {path}")
    for text in overrides(overlay):
        if "${" in text:
            raise Refusal(f"{path}: {text}: '${{' asks Hydra to look something up; say a value")
    return overlay


def _path(name: str) -> Path:
    if name not in names():
        close = difflib.get_close_matches(name, names(), n=1)
        hint = f", did you mean '{close[0]}'?" if close else f"; known: {', '.join(names())}"
        raise Refusal(f"{FOLDER}: no profile '{name}'{hint}")
    return FOLDER / f"{name}.yaml"


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


def title(name: str) -> str:
    """The first line of a profile, which says what it is for."""
    return _path(name).read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


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
    width = max(map(len, names()))
    print("\n".join(f"{name:{width}}  {title(name)}" for name in names()))
    return 0


def _show(options: argparse.Namespace) -> int:
    changes = overrides(load(options.name))
    text = _path(options.name).read_text(encoding="utf-8").splitlines()
    head = itertools.takewhile(lambda line: line.startswith("#"), text)
    print("\n".join([*head, *changes]))
    return 0


def _run(options: argparse.Namespace) -> int:
    return subprocess.run(command(load(options.name), options.arguments), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
