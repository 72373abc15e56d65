"""Values to text and back, under names of types that outlive a new build."""

import json
from typing import Any, Protocol

from hugo.errors.json_values import from_json, to_json, type_tags

_BUILTIN = {type(None): "none", bool: "bool", int: "int", float: "float", str: "str", list: "list", dict: "dict"}


class PayloadCodec(Protocol):
    """Writes values as text and reads them again."""

    def tag(self, type_: type) -> str:
        """The lasting name of a type; raises TypeError for one that cannot be written."""

    def encode(self, value: object) -> str:
        """The value as text; raises TypeError for one that would not come back as it is."""

    def decode(self, tag: str, text: str) -> Any:
        """The value that was written."""


class JsonCodec:
    """Writes JSON; what JSON has no word for is tagged, as `hugo.errors.json_values.register` says."""

    def tag(self, type_: type) -> str:
        """The lasting name of a type; raises TypeError for one that is not registered."""
        for kind in type_.__mro__:
            if kind in type_tags:
                return type_tags[kind].tag
        if type_ not in _BUILTIN:
            raise TypeError(f"{type_.__qualname__} is not registered with `hugo.errors.json_values.register`.")
        return _BUILTIN[type_]

    def encode(self, value: object) -> str:
        """The value as text; raises TypeError for one that would not come back as it is."""
        tag = self.tag(type(value))
        text = json.dumps(to_json(value), separators=(",", ":"), allow_nan=False)
        if self.decode(tag, text) != value:
            raise TypeError(f"This {tag} contains something that JSON would change.")
        return text

    def decode(self, tag: str, text: str) -> Any:
        """The value that was written."""
        return from_json(json.loads(text))
