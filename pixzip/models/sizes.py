"""Sizes of networks: each field of a config declares its values, and all are checked before anything is computed.

A weights file may be hostile, so its config reaches a network only through `parse_json` and `checked`.
"""

import json
from collections.abc import Container
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

#: Most characters of JSON in a weights file's metadata; the longest config has some 300.
MOST_JSON = 1 << 12
#: Most characters of a value in an error.
_MOST_SAID = 60
_ALLOWED = "allowed"


@dataclass(frozen=True)
class Interval:
    """The floats of [least, end)."""

    least: float
    end: float

    def __contains__(self, value: Any) -> bool:
        return bool(self.least <= value < self.end)  # never true of NaN

    def __str__(self) -> str:
        return f"at least {self.least} and less than {self.end}"


def size(default: Any, allowed: Container[Any]) -> Any:
    """A field of a `Sizes`, whose values have the type of `default` and are in `allowed`."""
    return field(default=default, metadata={_ALLOWED: allowed})


def said(value: Any) -> str:
    """A value from a file in an error: its `repr`, cut if it is long."""
    text = repr(value)
    return text if len(text) <= _MOST_SAID else f"{text[: _MOST_SAID - 3]}..."


def _words(allowed: Container[Any]) -> str:
    if isinstance(allowed, range):
        return f"{allowed[0]} to {allowed[-1]}" + (f" in steps of {allowed.step}" if allowed.step > 1 else "")
    return " or ".join(map(str, allowed)) if isinstance(allowed, tuple) else str(allowed)


@dataclass(frozen=True)
class Sizes:
    """The base of configs; every field is made by `size`."""

    def check(self) -> None:
        """Refuse sizes that no network has.

        Raises:
            ValueError: a field has another type or value than it allows, or fields contradict each other.
        """
        for f in fields(self):
            value, allowed = getattr(self, f.name), f.metadata[_ALLOWED]
            if type(value) is not type(f.default) or value not in allowed:
                raise ValueError(f"{f.name} is {said(value)}, expected {_words(allowed)}")
        self.check_together()

    def check_together(self) -> None:
        """
        Raises:
            ValueError: fields contradict each other, although each has an allowed value.
        """


S = TypeVar("S", bound=Sizes)


def parse_json(name: str, text: str) -> Any:
    """The value of JSON text; an object's keys are all different.

    Raises:
        ValueError: it is too long, damaged, nested too deeply, or holds NaN.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError(f"{name} has a key twice")
        return found

    def refuse(constant: str) -> None:
        raise ValueError(f"{name} holds {constant}")

    if len(text) > MOST_JSON:
        raise ValueError(f"{name} has {len(text)} characters, more than {MOST_JSON}")
    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except json.JSONDecodeError as e:
        raise ValueError(f"{name} is no JSON: {e}") from None
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply") from None


def checked(kind: type[S], found: Any, optional: frozenset[str] = frozenset()) -> S:
    """The sizes of a config.

    Args:
        found: any value of JSON; an object of the fields of `kind` is right.
        optional: fields that may be absent.
    Raises:
        ValueError: fields are missing or unknown, or `check` refuses them.
    """
    if not isinstance(found, dict):
        raise ValueError(f"config is {said(found)}, expected an object")
    names = {f.name for f in fields(kind)}
    if unknown := sorted(found.keys() - names):
        raise ValueError(f"config has {said(unknown[0])}, expected {', '.join(sorted(names))}")
    if missing := sorted(names - found.keys() - optional):
        raise ValueError(f"config has no {missing[0]}")
    sizes = kind(**found)
    sizes.check()
    return sizes
