"""What the demo says while it starts: steps, and bars for what takes long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn


class Screen:
    """Where people look; with JSON on standard output, that is standard error."""

    def __init__(self, *, for_scripts: bool) -> None:
        self._console = Console(stderr=for_scripts, highlight=False)

    def say(self, text: str) -> None:
        """Print one line, never broken: addresses and paths are copied from it."""
        self._console.print(text, soft_wrap=True)

    @contextmanager
    def bar(self, text: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar while the block lasts; tell what it gives how much is done."""
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(text, total=max(total, 1))
            yield lambda done: progress.update(task, completed=done)
            progress.update(task, completed=max(total, 1))
