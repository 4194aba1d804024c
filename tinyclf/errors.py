"""Every error that tinyclf raises on purpose; catch ``TinyclfError`` to catch them all."""


class TinyclfError(Exception):
    """The base of all errors of this package."""


class LabelSetError(TinyclfError):
    """The label set has a mistake; the message names file, line, head and class."""


class BundleError(TinyclfError):
    """The bundle is missing, damaged, foreign or of another format; the message says which file and what to do."""


class InputError(TinyclfError, TypeError):
    """A turn of the wrong type was given; the message names the argument, never its text."""


class DataError(TinyclfError):
    """A data file cannot be used; the message names file, line and the way out."""


class LlmError(TinyclfError):
    """The LLM gave no usable answer. The message never holds what a child said.

    ``reason`` is one short word for counters and journals. ``retry_after`` is how many seconds the server asked to
    wait, if it did. ``fatal`` says that no other turn would fare better: a wrong key, model or request form.
    """

    def __init__(self, reason: str, message: str, *, retry_after: float | None = None, fatal: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after
        self.fatal = fatal
