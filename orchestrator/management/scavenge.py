"""`manage.py hugo scavenge`: looks for damaged runs at once."""

from typing import Any

import click

from orchestrator.management.at_hand import engine_at_hand, print_json, print_table
from orchestrator.management.refusal import Refusal
from orchestrator.models import Shard
from orchestrator.services.scavenger import Report
from orchestrator.services.scavenger import scavenge as services_scavenge


@click.command(short_help="Prove that every open run has a reason to be awake, and mend what is damaged.")
@click.option("--shard", "shards", type=click.IntRange(1), multiple=True, help="Only this one; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Say what is damaged, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def scavenge(shards: tuple[int, ...], dry_run: bool, as_json: bool) -> None:
    """Compare the state of every run with the rows that wake it, list it and name it, and write what is missing.

    Servers do the same by themselves, slowly (HUGO['SCAVENGER_INTERVAL']); it may run beside them. Tables are read a
    page at a time and nothing is locked but a run that is mended.

    Exit status: 0 when nothing is damaged any more, 1 when something is.
    """
    with engine_at_hand() as engine:
        known = list(Shard.objects.using(engine.settings.database).order_by("id").values_list("id", flat=True))
        for shard in shards:
            if shard not in known:
                raise Refusal(f"There is no shard {shard}: this database has the shards 1 to {known[-1]}.")
        report = services_scavenge(engine, shards or known, repair=not dry_run)
    if as_json:
        print_json(_described(report))
    else:
        _print(report)
    raise SystemExit(int(report.found != report.mended))


def _described(report: Report) -> dict[str, Any]:
    return {
        "shards": report.shards,
        "runs": report.runs,
        "found": dict(report.found),
        "mended": dict(report.mended),
        "damaged": [
            {"shard": shard, "workflow_id": workflow_id, "run_id": run_id, "damage": damage}
            for shard, workflow_id, run_id, damage in report.examples
        ],
    }


def _print(report: Report) -> None:
    click.echo(f"Runs looked at: {report.runs}, in {report.shards} shards with any.")
    if not report.found:
        click.echo("Nothing is damaged.")
        return
    print_table(
        ("DAMAGE", "FOUND", "MENDED"),
        [(damage, count, report.mended[damage]) for damage, count in sorted(report.found.items())],
    )
    for shard, workflow_id, run_id, damage in report.examples:
        click.echo(f"shard {shard}: {workflow_id} {run_id}: {', '.join(damage)}")
