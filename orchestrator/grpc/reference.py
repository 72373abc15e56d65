"""Writes `docs/reference/rpc.md`: which methods are served and which are not.

    python -m orchestrator.grpc.reference

A test fails when the file is not what this writes.
"""

import os
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "rpc.md"

HEAD = """# RPCs

Which methods of Temporal's gRPC API this server serves. This page is generated from the table of handlers and the list
of what is not served: `python -m orchestrator.grpc.reference`. How a served method may differ from Temporal's is in
[compatibility](compatibility.md).

A method that is not served answers `UNIMPLEMENTED` with a text that names it and says why.
"""


def page() -> str:
    """The text of the page."""
    from orchestrator.grpc.handlers import SERVICES
    from orchestrator.grpc.unserved import UNSERVED

    parts = [HEAD]
    for service, rows in SERVICES.items():
        unserved = UNSERVED[service]
        parts.append(f"## {service.rpartition('.')[2]}\n")
        parts.append(f"Served, {len(rows)} of {len(rows) + len(unserved)}:\n")
        parts.append("\n".join(f"- {name}" for name in sorted(rows)) + "\n")
        parts.append("Not served:\n")
        lines = [f"| {name} | {reason} |" for name, reason in sorted(unserved.items())]
        parts.append("\n".join(["| method | why |", "|---|---|", *lines]) + "\n")
    parts.append("## Health\n\n`grpc.health.v1.Health`: Check. Watch answers `UNIMPLEMENTED`.\n")
    return "\n".join(parts)


def main() -> None:
    """Writes the page."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    django.setup()
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
