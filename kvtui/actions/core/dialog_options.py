"""What can be chosen in the dialog of an action: each choice is a key, a word, its value, and another intent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.actions.core.intent import Intent


class Ask(Struct, frozen=True):
    """A number to be typed."""

    what: str
    minimum: int
    maximum: int
    answered: Callable[[int], Intent]

    def parse(self, text: str) -> int:
        """Raises ValueError with a sentence for the operator."""
        right = f"{self.what}: a whole number from {self.minimum} to {self.maximum}"
        digits = text.strip()
        if not digits.isdecimal():
            raise ValueError(f'"{plain(digits, 20)}" is not a whole number. {right}.' if digits else f"{right}.")
        if len(digits) > len(str(self.maximum)) or not self.minimum <= int(digits) <= self.maximum:
            raise ValueError(f"{plain(digits, 20)} is not possible. {right}.")
        return int(digits)


class Option(Struct, frozen=True):
    """``key`` turns it to its next value, or asks for one where there is no next one. Its capital asks too."""

    key: str
    flag: str
    name: str
    value: str
    then: Intent | None = None
    ask: Ask | None = None

    @property
    def text(self) -> str:
        other = f" ({self.key.upper()} other)" if self.ask and self.then else ""
        return f"{self.key} {self.name}: {self.value}{other}"


def yes_no(*, on: bool) -> str:
    return "yes" if on else "no"
