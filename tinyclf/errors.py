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
