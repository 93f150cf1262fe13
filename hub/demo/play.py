"""Play the story, and let the hub run on afterwards until Ctrl-C."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress

from rich.console import Console
from rich.markup import escape

from core.settings import Settings
from hub.demo.stage import connect_administrator, connect_auditor, demo_home, running_hub
from hub.demo.story import Story
from hub.demo.telling import StepFailed, Teller


def play(settings: Settings, *, stop_at_end: bool, rows: int) -> int:
    """Play the story; return 0, or 1 at the first step that does not hold.

    Raises Conflict or Unavailable where the hub cannot be started at all.
    """
    console = Console()
    teller = Teller(console)
    with ExitStack() as stack:
        with console.status("starting a hub (embedded database, keys, authorities) …"):
            address = stack.enter_context(running_hub(settings))
        console.print(f"hub on {address}", highlight=False)
        home = demo_home(settings)
        story = Story(address=address, teller=teller, home=home, rows=rows, stack=stack)
        try:
            story.play(connect_administrator(address, settings), connect_auditor(address, settings))
        except StepFailed as failure:
            console.print("[red]✗[/red] " + escape(str(failure)), highlight=False, soft_wrap=True)
            return 1
        teller.summarise(address)
        if not stop_at_end:
            console.print("the hub runs on; Ctrl-C stops it")
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
    return 0
