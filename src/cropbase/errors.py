"""The one family of errors that a user of the workflow may meet.

A user's mistake is never answered with a traceback: whatever derives from `CropError` is printed
as its message alone, by the workflow (`cropbase.jobs`) and by the command lines.
"""

from __future__ import annotations


class CropError(Exception):
    """Base of every error that is the user's to mend.

    Parameters
    ----------
    problem : what is wrong, naming the file, the key or the feature.
    given : what was found there, if that helps.
    allowed : what would be accepted.
    remedy : what to do now.
    """

    def __init__(
        self,
        problem: str,
        *,
        given: object | None = None,
        allowed: object | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.given = given
        self.allowed = allowed
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [self.problem]
        for word, value in (
            ("given", self.given),
            ("allowed", self.allowed),
            ("what to do", self.remedy),
        ):
            if value is not None:
                lines.append(f"  {word}: {value}")
        return "\n".join(lines)


class ConfigError(CropError):
    """A configuration file has an unknown key, a missing key or a value out of range."""


class InputError(CropError):
    """A file that the user gave cannot be used as it is."""


class CompletenessError(CropError):
    """A stage did not deliver exactly the planned blocks."""


class DependencyError(CropError):
    """Something that must come from outside (weights, a key, a program) is not there."""


class DiskFullError(CropError):
    """A disk, or a quota on it, is full; the same command goes on once there is space."""
