"""A server process for tests: `python -m tests.store.second_process` takes lines `COUNT WORKFLOW_ID` from its input.

For each it starts that workflow COUNT times at once and prints the run ids, and the names of errors, as JSON.
"""

import json
import sys

import django


def main() -> None:
    """Runs until the input ends."""
    django.setup()

    from orchestrator.services.bootstrap import check_database
    from orchestrator.services.composition import store_of
    from tests.store.process import ALIAS, Process

    with Process(store_of(ALIAS, check_database(ALIAS).shard_count)) as process:
        print("ready", flush=True)
        for line in sys.stdin:
            count, workflow_id = line.split()
            calls = [process.start(workflow_id) for _ in range(int(count))]
            running = [process.begin(process.engine.execute(call)) for call in calls]
            outcomes = [
                type(error).__name__ if (error := each.exception(30)) else each.result().response.run_id
                for each in running
            ]
            print(json.dumps(outcomes), flush=True)


if __name__ == "__main__":
    main()
