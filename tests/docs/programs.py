"""Running the Python of a page, block after block in one session, as `python -m asyncio` would."""

import ast
import io
import re
from collections.abc import Awaitable
from contextlib import redirect_stdout
from typing import Any

_BLOCKS = re.compile(r"^```python\n(.*?)^```\n(?:\n?^```text\n(.*?)^```\n)?", re.M | re.S)


def blocks(page: str) -> list[tuple[str, str]]:
    """The programs of a page, each with what the page says it prints."""
    return [(match[1], match[2] or "") for match in _BLOCKS.finditer(page)]


async def run(program: str, names: dict[str, Any], name: str) -> str:
    """What a program prints; `names` are those that earlier blocks have defined."""
    code = compile(program, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = io.StringIO()
    with redirect_stdout(printed):
        left: Awaitable[None] | None = eval(code, names)
        if left is not None:
            await left
    return printed.getvalue()
