"""What operators do to dead letters: put them back to work, or forget them."""

from collections.abc import Iterable

from orchestrator.models import DeadLetter
from orchestrator.services.engine import Engine
from orchestrator.store import dead_letters


def redrive(engine: Engine, letter_ids: Iterable[int]) -> int:
    """Puts tasks back where they waited, each in a transaction of its own, and has their owners look.

    A process that cannot be told finds them when it looks at the table next.

    Returns:
        How many there were.
    """
    done = 0
    for letter_id in letter_ids:
        letter = dead_letters.redrive(engine.settings.database, letter_id)
        if letter is None:
            continue
        done += 1
        engine.hinted(letter.queue, [letter.shard_id])
    return done


def forget(engine: Engine, letter_ids: Iterable[int]) -> int:
    """Deletes dead letters; returns how many there were."""
    rows = DeadLetter.objects.using(engine.settings.database).filter(id__in=list(letter_ids))
    return rows.delete()[0]
