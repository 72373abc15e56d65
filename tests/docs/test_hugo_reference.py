"""The reference of `hugo` is that of the source, and complete."""

import importlib
import pkgutil

import pytest

import hugo
from docs.hugo_reference import MODULES, PAGES, pages

PUBLIC = sorted(
    {module.name for module in pkgutil.iter_modules(hugo.__path__, "hugo.") if module.ispkg}
    | {"hugo.cancellation", "hugo.clock", "hugo.optional", "hugo.sagas", "hugo.timers"}
)


def test_the_pages_are_up_to_date() -> None:
    written = {path: path.read_text() for path in PAGES.glob("*.md")}
    assert written == dict(pages()), "run `make docs`"


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_described(module: str) -> None:
    page = next(name for name, modules in MODULES.items() if module in modules)
    text = (PAGES / f"{page}.md").read_text()
    names = getattr(importlib.import_module(module), "__all__", ())
    assert [name for name in names if f"### `{name}`\n" not in text] == []
