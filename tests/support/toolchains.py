"""The compilers and package managers of other languages: found, or installed where that is possible.

    python -m tests.support.toolchains

Exit status 2, and a sentence that says what is missing, when one cannot be had.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support import binaries


@dataclass(frozen=True, slots=True)
class Tool:
    """A program the tests of other SDKs need.

    Attributes:
        name: for people.
        command: prints the version.
        at_least: the oldest version that will do.
        package: of Debian.
    """

    name: str
    command: tuple[str, ...]
    at_least: tuple[int, ...]
    package: str

    def wanting(self) -> str | None:
        """Why this machine cannot use it; None when it can."""
        if shutil.which(self.command[0]) is None:
            return f"{self.name} is not installed"
        done = subprocess.run(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        found = re.search(r"\d+(?:\.\d+)+", done.stdout.decode(errors="replace"))
        if done.returncode or found is None:
            return f"{' '.join(self.command)} does not tell a version"
        if tuple(map(int, found[0].split("."))) < self.at_least:
            return f"{self.name} {'.'.join(map(str, self.at_least))} or later is needed and {found[0]} is installed"
        return None


# A Go of this age fetches the one that go.mod names.
TOOLS = (
    Tool("Go", ("go", "version"), (1, 21), "golang"),
    Tool("a JDK", ("javac", "-version"), (17,), "default-jdk"),
    Tool("Maven", ("mvn", "-version"), (3, 6, 3), "maven"),
    Tool("Node.js", ("node", "--version"), (20, 3), "nodejs"),
    Tool("npm", ("npm", "--version"), (9,), "npm"),
)


def ensure(tools: Sequence[Tool]) -> None:
    """Makes sure that the tools can be used; installs Debian packages when we are root and apt is there.

    Raises:
        binaries.Missing: one of them cannot be used.
    """
    absent = [tool.package for tool in tools if shutil.which(tool.command[0]) is None]
    if absent and binaries.can_install():
        binaries.install(absent)
    if reasons := [reason for tool in tools if (reason := tool.wanting())]:
        raise binaries.Missing(f"The tests of other SDKs cannot run: {', '.join(reasons)}.")


def main() -> int:
    """Returns 2 when a tool cannot be had."""
    try:
        ensure(TOOLS)
    except binaries.Missing as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
