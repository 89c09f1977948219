"""`spinlock render`: a picture or a film of a rollout."""

import argparse
from pathlib import Path

from spinlock import runtime
from spinlock.commands import operators
from spinlock.refusals import Refusal
from spinlock.rendering import files, scene, source, steps

ROLLOUTS = Path("data/rollouts")
FRAMES = 8  # of a picture, unless the user says how many
RATE = 12  # frames a second of a film, unless the user says how many


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which operator, which part of it, how, and where."""
    operators.add_arguments(parser)
    parser.add_argument("--mode", choices=scene.MODES, required=True)
    parser.add_argument("--out", type=Path, required=True, help=", ".join(files.WRITERS))
    parser.add_argument("--rollouts", type=Path, help=f"folder of rollouts ({ROLLOUTS})")
    parser.add_argument("--replay", action="store_true", help="from the table, without the folder")
    parser.add_argument("--realization", type=int, default=0)
    parser.add_argument("--channel", type=int, help="of a heatmap; all if none is given")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--steps", help="such as 0,1,8; 0 is the initial condition")
    which.add_argument("--frames", type=int, help="how many steps, spread over the rollout")
    parser.add_argument("--rate", type=int, help=f"frames a second of a film ({RATE})")


def answer(options: argparse.Namespace) -> str:
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
        found = source.replayed(operator, operators.settings(options))
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


def _steps(options: argparse.Namespace, last: int) -> tuple[int, ...]:
    """The steps that were asked for; a few for a picture, all for a film."""
    if options.steps is not None:
        return steps.listed(options.steps, last)
    picture = options.out.suffix == ".png"
    usual = min(FRAMES, last + 1) if picture else last + 1
    count = usual if options.frames is None else options.frames
    return steps.doubling(last, count) if picture else steps.even(last, count)
