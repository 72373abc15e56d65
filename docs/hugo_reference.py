"""`make docs`: writes the reference of `hugo` into docs/reference/hugo/api, from the source and its docstrings."""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from inspect import cleandoc
from pathlib import Path

from hugo.diagnostics import INSTRUMENTS
from hugo.errors import ERROR_DESCRIPTORS

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "reference" / "hugo" / "api"

MODULES = {
    "sync": ["hugo.sync"],
    "channels": ["hugo.channels"],
    "select": ["hugo.select"],
    "timers": ["hugo.timers"],
    "cancellation": ["hugo.cancellation", "hugo.loops"],
    "clock": ["hugo.clock"],
    "errors": ["hugo.errors", "hugo.errors.json_values"],
    "result": ["hugo.result"],
    "optional": ["hugo.optional"],
    "policies": ["hugo.policies", "hugo.policies.temporal"],
    "pipelines": ["hugo.pipelines"],
    "sagas": ["hugo.sagas"],
    "streams": ["hugo.streams"],
    "task-queue": ["hugo.task_queue"],
    "deterministic": ["hugo.deterministic"],
    "workflow": ["hugo.workflow"],
    "diagnostics": [
        "hugo.diagnostics",
        "hugo.diagnostics.otel",
        "hugo.diagnostics.sampling",
        "hugo.diagnostics.memory",
    ],
}
"""The pages, and whose public names each of them shows."""

LONGEST = 120
"""Characters of a value that is shown."""

Function = ast.FunctionDef | ast.AsyncFunctionDef

# Columns of a docstring: a name, or several, and what it means.
_ROW = re.compile(r"^((?:`[^`]+`(?:, )?)+)(?:\s{2,}(\S.*))?$")


def pages() -> Iterator[tuple[Path, str]]:
    """Each page and what is to be in it."""
    for name, modules in MODULES.items():
        parts = [f"# {', '.join(f'`{module}`' for module in modules[:1])}\n"]
        for number, module in enumerate(modules):
            tree = _parse(module)
            if number:
                parts.append(f"## `{module}`\n")
            parts.append(_text(ast.get_docstring(tree)))
            parts.extend(_entry(node) for node in _public(module, tree))
            parts.extend(TABLES[module]() if module in TABLES else ())
        yield PAGES / f"{name}.md", "\n".join(parts)


def _parse(module: str) -> ast.Module:
    return ast.parse(_file(module).read_text())


def _file(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _public(module: str, tree: ast.Module) -> Iterator[list[ast.stmt]]:
    """The definitions of a module, or of those its package offers; overloads with their function."""
    offered = [node for node in tree.body if isinstance(node, ast.ImportFrom) and _file(module).name == "__init__.py"]
    if not offered:
        yield from (group for group in _definitions(tree.body) if len(group) > 1 or not _is_plain(group[-1]))
    for node in offered:
        names = {alias.name for alias in node.names}
        for definition in _definitions(_parse(node.module or "").body):
            if _name(definition[-1]) in names:
                yield definition


def _definitions(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """Each public definition, last in a list; before it its overloads, or the string that describes an assignment."""
    group: list[ast.stmt] = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, Function) and any(ast.unparse(each) == "overload" for each in node.decorator_list):
            group.append(node)
            continue
        described = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if _name(node) and not _name(node).startswith("_"):
            yield [*group, *([after] if _is_plain(node) and described and after is not None else []), node]
        group = []


def _is_plain(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign | ast.AnnAssign)


def _name(node: ast.stmt) -> str:
    match node:
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return node.name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""


def _entry(group: list[ast.stmt]) -> str:
    """A definition with its members, under a heading of its own."""
    node = group[-1]
    match node:
        case ast.ClassDef():
            parts = [f"### `{node.name}`\n", _class(node)]
            for member in _definitions(node.body):
                if isinstance(member[-1], Function):
                    parts.append(f"- {_function(member, 2)}")
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            parts = [f"### `{node.name}`\n", _function(group, 0)]
        case _:
            described = [_text(ast.literal_eval(each.value)) for each in group if isinstance(each, ast.Expr)]
            parts = [f"### `{_name(node)}`\n", _code([_assigned(node)], 0), *described]
    return "\n".join(parts)


def _assigned(node: ast.stmt) -> str:
    text = ast.unparse(node).replace("'", '"')
    return text if len(text) <= LONGEST else f"{text.partition(' = ')[0]} = ..."


def _class(node: ast.ClassDef) -> str:
    made = next((each for each in node.body if isinstance(each, Function) and each.name == "__init__"), None)
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    header = f"class {node.name}" + (f"({bases})" if bases else "")
    fields = [f"    {ast.unparse(each)}" for each in node.body if isinstance(each, ast.AnnAssign | ast.Assign)]
    fields = [each for each in fields if not each.startswith(("    _", "    __slots__"))]
    if made is not None:
        fields = [f"    {_signature(made)}"]
    described = [_text(ast.get_docstring(node)), *_described_fields(node)]
    if made is not None and ast.get_docstring(made):
        described.append(_text(ast.get_docstring(made)))
    return "\n".join([_code([header, *fields], 0), *described])


def _described_fields(node: ast.ClassDef) -> Iterator[str]:
    for group in _definitions(node.body):
        if _is_plain(group[-1]) and isinstance(group[0], ast.Expr):
            yield f"- `{_name(group[-1])}`: {_text(ast.literal_eval(group[0].value))}"


def _function(group: list[ast.stmt], indent: int) -> str:
    functions = [node for node in group if isinstance(node, Function)]
    shown = functions[:-1] or functions
    text = "\n".join([_code([_signature(node) for node in shown], indent), _text(ast.get_docstring(functions[-1]))])
    return re.sub(r"\n(?=.)", "\n" + " " * indent, text)


def _signature(node: Function) -> str:
    decorators = [ast.unparse(each) for each in node.decorator_list]
    if "property" in decorators:
        return f"{node.name}: {_type(node.returns)}"
    returns = "" if node.returns is None or node.name == "__init__" else f" -> {_type(node.returns)}"
    starts = "@classmethod\ndef" if "classmethod" in decorators else "def"
    starts = f"async {starts}" if isinstance(node, ast.AsyncFunctionDef) else starts
    return f"{starts} {node.name}({', '.join(_arguments(node.args))}){returns}"


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    for argument, default in zip(positional, defaults, strict=True):
        if argument.arg not in ("self", "cls"):
            yield _argument(argument, default)
        if arguments.posonlyargs and argument is arguments.posonlyargs[-1]:
            yield "/"
    if arguments.vararg is not None:
        yield f"*{_argument(arguments.vararg, None)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(argument, default)
    if arguments.kwarg is not None:
        yield f"**{_argument(arguments.kwarg, None)}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    text = argument.arg if argument.annotation is None else f"{argument.arg}: {_type(argument.annotation)}"
    if default is None:
        return text
    return f"{text} = {ast.unparse(default)}" if argument.annotation is not None else f"{text}={ast.unparse(default)}"


def _type(annotation: ast.expr | None) -> str:
    """An annotation without the quotes that only the interpreter needs."""
    text = "" if annotation is None else ast.unparse(annotation)
    return text if "Literal[" in text else text.replace("'", "")


def _code(lines: list[str], indent: int) -> str:
    return "\n".join(["```python", *lines, "```", ""])


def _text(docstring: str | None) -> str:
    """A docstring as Markdown: columns become a list."""
    lines: list[str] = []
    for line in cleandoc(docstring or "").splitlines():
        row = _ROW.match(line)
        if row:
            lines.append(f"- {row[1]}" + (f": {row[2]}" if row[2] else ":"))
        elif lines and lines[-1].startswith("- ") and line.startswith("    "):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line)
    return "\n".join([*lines, ""])


def _codes() -> Iterator[str]:
    yield "## Codes\n\n| code | category | means |\n|---|---|---|"
    for code, described in ERROR_DESCRIPTORS.items():
        yield f"| `{code}` | {described.category} | {described.description} |"
    yield ""


def _instruments() -> Iterator[str]:
    yield "## Instruments\n\n| name | kind | unit |\n|---|---|---|"
    for name, instrument in INSTRUMENTS.items():
        yield f"| `{name}` | {instrument.kind.value} | `{instrument.unit}` |"
    yield ""


TABLES: dict[str, Callable[[], Iterator[str]]] = {"hugo.errors": _codes, "hugo.diagnostics": _instruments}


def main() -> int:
    """Writes the pages, and removes those of modules that are gone."""
    PAGES.mkdir(parents=True, exist_ok=True)
    written = dict(pages())
    for path in set(PAGES.glob("*.md")) - set(written):
        path.unlink()
    for path, text in written.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
