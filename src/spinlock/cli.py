"""The `spinlock` command: it looks at what stages made and uses it; it makes no result."""

import argparse
import importlib
import sys

from spinlock.refusals import Refusal

# Each has a module of its name in `spinlock.commands`.
COMMANDS = {
    "info": "what an artefact is: shapes, names, parameters",
    "validate": "check an artefact; exit status 1 if it fails",
    "tokenize": "tokens of every operator of a features file",
    "scorecard": "the scorecard of the last evaluation",
    "rollout": "roll an operator out again",
    "render": "a picture or a film of a rollout",
    "gallery": "a picture of all initial conditions",
}


def main() -> None:
    """Parse the command line and answer; a refusal is one line and exit status 2.

    The status is 1 if `validate` finds something wrong. Of the commands only the one that is
    asked for is loaded, so that a table appears at once and only what computes waits for torch.
    """
    options = _parser(sys.argv[1:2]).parse_args()
    try:
        print(options.answer(options))
    except Refusal as refusal:
        sys.exit(_say(refusal))
    except BrokenPipeError:
        sys.exit(0)


def _say(refusal: Refusal) -> int:
    print(f"spinlock: {refusal}", file=sys.stderr)
    return 2


def _parser(asked: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spinlock", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose)
        if name in asked:
            module = importlib.import_module(f"spinlock.commands.{name}")
            module.add_arguments(command)
            command.set_defaults(answer=module.answer)
    return parser


if __name__ == "__main__":
    main()
