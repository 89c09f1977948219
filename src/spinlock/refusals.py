"""The one exception that a user may see: a sentence, not a traceback."""


class Refusal(Exception):
    """A parameter, a file or a shape that cannot be right; its text is one line for the user.

    The line names the thing, where it stands, what is allowed and what was found.
    """
