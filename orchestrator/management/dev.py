"""What `hugo dev` does: database, server, sample."""

from functools import partial
from pathlib import Path

from django.conf import settings

from orchestrator.conf import hugo_settings
from orchestrator.grpc.transport import Options, Transport
from orchestrator.management import banner
from orchestrator.management.database import open_database
from orchestrator.management.developer import make_developer
from orchestrator.management.refusal import Refusal
from orchestrator.management.sample import run_sample, sample_exists
from orchestrator.management.serving import choose_transport, run_transport

HOST = "127.0.0.1"
STOP_SECONDS = 4.0
NO_SAMPLE = "it is part of the source checkout and not of the installed package"


class SampleEnded(Exception):
    """The sample is over and the server is to end with it.

    Attributes:
        status: the exit status of the sample.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def run_dev(
    grpc_port: int, http_port: int, data: Path | None, transport: str | None, *, sample: bool, once: bool
) -> int:
    """Serves until a signal comes, or with `once` until the sample is over.

    Args:
        grpc_port: of Temporal's API; 0 for a free one.
        http_port: of REST and the admin; 0 for a free one.
        data: the data directory that was asked for, which the settings have read already.
        transport: `auto`, `envoy` or `aio`; None for what the settings say.
        sample: whether to run the sample.
        once: whether to end after it.

    Returns:
        The exit status: 0 after a signal or a sample that went well, 1 otherwise.

    Raises:
        Refusal: something is in the way.
    """
    check_data_directory(data)
    if once and not sample_exists():
        raise Refusal(f"There is no sample to end after: {NO_SAMPLE}.")
    library = hugo_settings()
    name, reason = choose_transport(transport or library.transport)
    database = open_database(library.database)
    login_made = make_developer(library)
    options = Options(
        host=HOST,
        port=grpc_port,
        http_port=http_port,
        reflection=library.reflection,
        stop_seconds=STOP_SECONDS,
        keep_open=() if database.lock is None else (database.lock.descriptor,),
    )
    welcome = banner.Welcome("Hugo durable orchestrator", name, reason, library.server_version, database, login_made)
    try:
        return run_transport(name, options, welcome.say, partial(_beside, sample=sample, once=once))
    except SampleEnded as ended:
        return ended.status


async def _beside(transport: Transport, *, sample: bool, once: bool) -> None:
    address = f"{HOST}:{transport.port}"
    if sample and not sample_exists():
        banner.say(f"The sample is left out: {NO_SAMPLE}.")
    elif sample:
        status = await run_sample(address)
        if once:
            raise SampleEnded(status)
        banner.say("" if status == 0 else "The sample failed; the server goes on.")
    banner.say_next(address)


def check_data_directory(asked: Path | None) -> None:
    """Refuses `--data` where the settings have not heard of it: they are read before any command sees its options.

    Raises:
        Refusal: the project's settings or its `manage.py` give the option no meaning.
    """
    if asked is None:
        return
    used = getattr(settings, "DATA_DIR", None)
    if used is None or Path(used) != asked.absolute():
        raise Refusal(
            f"The settings of this project keep no data in {asked}: its manage.py must set HUGO_DATA_DIR from --data."
        )
