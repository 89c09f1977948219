"""The `spinlock` command: it looks at what stages made and uses it; it makes no result."""

import argparse
import csv
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from spinlock import artifacts, library, params, runtime
from spinlock.cleaning import raw
from spinlock.plots import gallery
from spinlock.refusals import Refusal
from spinlock.rendering import caption, ensemble, files, scene, source, steps
from spinlock.rollout.config import Config
from spinlock.rollout.engine import Rollout
from spinlock.sampling.table import Operators
from spinlock.validation import bytes_of
from spinlock.validation.validate import Invalid, judge

SCORECARD = Path("plots/scorecard.csv")
OPERATORS = Path("data/operators.h5")
ROLLOUTS = Path("data/rollouts")
FRAMES = 8  # of a picture, unless the user says how many
RATE = 12  # frames a second of a film, unless the user says how many
HEADLINE_STEPS = (0, 1, 8, 32, 64)  # and the last


def main() -> None:
    """Parse the command line and answer; a refusal is one line and exit status 2.

    The status is 1 if `validate` finds something wrong.
    """
    options = _parser().parse_args()
    try:
        print(options.answer(options))
    except Invalid as invalid:
        print(invalid)
        sys.exit(1)
    except Refusal as refusal:
        sys.exit(_say(refusal))
    except BrokenPipeError:
        sys.exit(0)


def _say(refusal: Refusal) -> int:
    print(f"spinlock: {refusal}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spinlock", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    info = commands.add_parser("info", help="what an artefact is: shapes, names, parameters")
    info.add_argument("path", type=Path)
    info.set_defaults(answer=lambda options: describe(options.path))

    checked = commands.add_parser("validate", help="check an artefact; exit status 1 if it fails")
    checked.add_argument("path", type=Path)
    checked.set_defaults(answer=lambda options: judge(options.path))

    tokens = commands.add_parser("tokenize", help="tokens of every operator of a features file")
    tokens.add_argument("features", type=Path)
    tokens.add_argument("--tokenizer", type=Path, default=Path("models/tokenizer.pt"))
    tokens.set_defaults(answer=lambda options: tokenize(options.features, options.tokenizer))

    card = commands.add_parser("scorecard", help="the scorecard of the last evaluation")
    card.add_argument("path", type=Path, nargs="?", default=SCORECARD)
    card.set_defaults(answer=lambda options: scorecard(options.path))

    _add_operator_commands(commands)

    shown = commands.add_parser("gallery", help="a picture of all initial conditions")
    shown.add_argument("--out", type=Path, required=True, help="a .png")
    shown.add_argument("--grid", type=int, default=gallery.GRID, help="points per axis")
    shown.add_argument("--seed", type=int, default=gallery.SEED, help="root seed of the draws")
    shown.set_defaults(answer=lambda options: show(options.out, options.grid, options.seed))
    return parser


def _add_operator_commands(commands: argparse._SubParsersAction) -> None:
    one = argparse.ArgumentParser(add_help=False)
    one.add_argument("operator_id", type=int)
    one.add_argument("--operators", type=Path, default=OPERATORS, help="the operator table")
    one.add_argument("--params", type=Path, help=f"file of section generate ({params.PATH})")

    made = commands.add_parser("rollout", parents=[one], help="roll an operator out again")
    made.add_argument("--out", type=Path, help="an .h5 for u0 and u")
    made.set_defaults(answer=rollout)

    drawn = commands.add_parser("render", parents=[one], help="a picture or a film of a rollout")
    drawn.add_argument("--mode", choices=scene.MODES, required=True)
    drawn.add_argument("--out", type=Path, required=True, help=", ".join(files.WRITERS))
    drawn.add_argument("--rollouts", type=Path, help=f"folder of rollouts ({ROLLOUTS})")
    drawn.add_argument("--replay", action="store_true", help="from the table, without the folder")
    drawn.add_argument("--realization", type=int, default=0)
    drawn.add_argument("--channel", type=int, help="of a heatmap; all if none is given")
    which = drawn.add_mutually_exclusive_group()
    which.add_argument("--steps", help="such as 0,1,8; 0 is the initial condition")
    which.add_argument("--frames", type=int, help="how many steps, spread over the rollout")
    drawn.add_argument("--rate", type=int, help=f"frames a second of a film ({RATE})")
    drawn.set_defaults(answer=render)


def describe(path: Path) -> str:
    """Say what a file or folder is that a stage wrote.

    Raises:
        Refusal: missing, or not one of ours; if it is not what dvc.lock lists, with the remedy.
    """
    try:
        return _described(path)
    except Refusal as refusal:
        raise Refusal(f"{refusal}{bytes_of.remedy(path)}") from None


def _described(path: Path) -> str:
    if path.is_dir():
        path = path / "index.json"
    if path.suffix == ".json":
        return _describe_json(path)
    if path.suffix == ".h5":
        return _describe_hdf5(path)
    if path.suffix == ".pt":
        return _describe_checkpoint(path)
    raise Refusal(f"{path}: expected a .h5, .pt or .json file of a stage, or data/rollouts")


def _describe_json(path: Path) -> str:
    content = artifacts.read_object(path)
    lines = []
    for key, value in content.items():
        size = f"{len(value)} entries" if isinstance(value, dict | list) else value
        lines.append(f"  {key}: {size}")
    return "\n".join([str(path), *lines])


def _describe_hdf5(path: Path) -> str:
    with artifacts.reading(path, bytes_of.kind(path)) as source:
        lines = [f"{path}: {bytes_of.kind(path)}"]
        for name in source.names():
            shape, axes, kind = source.layout(name)
            lines.append(f"  {name}  [{', '.join(map(str, shape))}]  {axes}  {kind}")
        return "\n".join([*lines, f"  made by: {source.provenance}"])


def _describe_checkpoint(path: Path) -> str:
    content = artifacts.load_checkpoint(path)
    lines = [f"{path}: {content['kind']}"]
    lines += [f"  {key}: {_sketch(value)}" for key, value in content.items() if key != "kind"]
    return "\n".join(lines)


def _sketch(value: object) -> str:
    if isinstance(value, dict | list | tuple):
        return f"{len(value)} entries"
    if hasattr(value, "shape"):
        return f"tensor {list(value.shape)}"
    return str(value)


def tokenize(features: Path, tokenizer: Path) -> str:
    """Tokens of every operator as TSV: a row an operator, a column a category and level.

    As in `data/tokens.h5`, those of an operator that diverged are −1.
    """
    learned = library.load_tokenizer(tokenizer)
    source = raw.read(features)
    learned.model.cleaner.check(source.names, str(features))
    tokens = learned.encode(source).numpy()
    header = ["operator_id", *learned.token_names]
    rows = np.column_stack([source.metadata.operator_id, tokens])
    return "\n".join("\t".join(map(str, row)) for row in [header, *rows.tolist()])


def scorecard(path: Path) -> str:
    """The scorecard as an aligned table."""
    if not path.is_file():
        raise Refusal(f"{path}: not found; `make repro` makes it")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if not rows:
        raise Refusal(f"{path}: empty; `make repro` makes it")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def render(options: argparse.Namespace) -> str:
    """Draw a picture (.png) or a film (.gif, .mp4) of one operator's rollout.

    Raises:
        Refusal: an option, the operator, or a file cannot be right.
    """
    _check_options(options)
    rate = RATE if options.rate is None else options.rate
    files.check(options.out, rate)
    operator = source.operator(options.operators, options.operator_id)
    runtime.single_thread()  # another number of threads gives other last digits
    if options.replay:
        found = source.replayed(operator, _settings(options))
    else:
        found = source.stored(operator, options.rollouts or ROLLOUTS)
    look = scene.Look(mode=options.mode, realization=options.realization, channel=options.channel)
    drawn = scene.scene(operator, found, look)
    files.save(drawn, _steps(options, drawn.steps), options.out, rate)
    return f"{options.out}: {drawn.title}; {drawn.fate}"


def _check_options(options: argparse.Namespace) -> None:
    """Refuse an option that would change nothing."""
    if options.rate is not None and options.out.suffix == ".png":
        raise Refusal(f"--rate: is for a film, and {options.out} is a picture; leave it out")
    if options.replay and options.rollouts is not None:
        raise Refusal("--rollouts: is not read with --replay; leave one of them out")
    if options.params is not None and not options.replay:
        raise Refusal("--params: is read with --replay alone; add that, or leave it out")


def _settings(options: argparse.Namespace) -> Config:
    """Section `generate` of the file that was named, or of the project's."""
    return params.load("generate", Config, options.params or params.PATH)


def _steps(options: argparse.Namespace, last: int) -> tuple[int, ...]:
    """The steps that were asked for; a few for a picture, all for a film."""
    if options.steps is not None:
        return steps.listed(options.steps, last)
    picture = options.out.suffix == ".png"
    usual = min(FRAMES, last + 1) if picture else last + 1
    count = usual if options.frames is None else options.frames
    return steps.doubling(last, count) if picture else steps.even(last, count)


def rollout(options: argparse.Namespace) -> str:
    """Roll one operator out from the table alone; say how it goes, and write it if asked to.

    Raises:
        Refusal: the operator, a file or its name cannot be right.
    """
    if options.out is not None and (options.out.suffix != ".h5" or options.out.is_dir()):
        raise Refusal(f"{options.out}: expected the name of an .h5 file")
    operator = source.operator(options.operators, options.operator_id)
    settings = _settings(options)
    runtime.single_thread()
    found = source.replayed(operator, settings)
    if options.out is not None:
        _write_rollout(options.out, operator, found, settings)
    return "\n".join(
        [
            f"{caption.title(operator)}; T = {settings.steps}, R = {settings.realizations}",
            f"  {caption.parameters(operator)}",
            *_course(found),
            f"  {caption.fate(found)}",
        ]
    )


def _course(found: Rollout) -> list[str]:
    """Mean and standard deviation of u over realizations, channels and domain, by step."""
    u = ensemble.frames(found).astype(np.float64)
    last = u.shape[1] - 1
    lines = [f"{'step':>6} {'mean':>11} {'std':>11} {'alive':>6}"]
    for step in sorted({*(step for step in HEADLINE_STEPS if step < last), last}):
        alive = u[np.isfinite(u[:, step]).all((-3, -2, -1)), step]
        mean, std = (f"{alive.mean():.4g}", f"{alive.std():.4g}") if len(alive) else ("–", "–")
        lines.append(f"{step:>6} {mean:>11} {std:>11} {len(alive):>6}")
    return lines


def _write_rollout(path: Path, operator: Operators, found: Rollout, settings: Config) -> None:
    """u0, u (NaN from the step of divergence on) and that step; 0 = never."""
    made_by = {
        "generate": asdict(settings),
        "operator": found.operator,
        "seed": operator.seed,
        "theta": asdict(operator.theta[0]),
        "initial_condition": operator.ic_types[0],
    }
    with artifacts.writing(path, "rollout", made_by) as sink:
        sink.put("u0", found.u0.numpy(), "C H W", units=["1"])
        sink.put("u", found.u.numpy(), "R T C H W", units=["1"])
        sink.put("diverged_at", found.diverged_at.numpy(), "R", units=["steps"])


def show(out: Path, grid_size: int, seed: int) -> str:
    """Draw two fields and the spectrum of every variant of initial conditions.

    Raises:
        Refusal: the name is not one of a PNG, or the grid is too coarse for a variant.
    """
    if out.suffix != ".png" or out.is_dir():
        raise Refusal(f"{out}: expected the name of a .png file")
    specimens = gallery.specimens(grid_size, seed)
    gallery.save(gallery.picture(specimens), out)
    return f"{out}: {len(specimens)} variants of initial conditions on {grid_size}x{grid_size}"


if __name__ == "__main__":
    main()
