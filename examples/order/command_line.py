"""The one option all parts of the example share."""

import argparse


def address(description: str | None) -> str:
    """HOST:PORT of the server, by `--address`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--address", default="127.0.0.1:7233", help="HOST:PORT of the server (%(default)s)")
    chosen: str = parser.parse_args().address
    return chosen
