"""`hordenode`: the group of all commands."""

from __future__ import annotations

from importlib import import_module

import click

from hordenode.version import __version__

# Command -> (module, attribute, the line that `--help` shows).
COMMANDS: dict[str, tuple[str, str, str]] = {
    "up": ("hordenode.cli.up", "up", "Run a node: a private horde that serves the AI Horde v2 API."),
    "generate": ("hordenode.cli.generate", "generate", "Make a picture or a text."),
    "alchemy": ("hordenode.cli.alchemy", "alchemy", "Do something with a picture: caption, palette, upscale…"),
    "user": ("hordenode.cli.user", "user", "Accounts of this horde."),
    "key": ("hordenode.cli.key", "key", "API keys of an account."),
    "invite": ("hordenode.cli.invite", "invite", "Make a code for somebody to register with, or a machine to join."),
    "join": ("hordenode.cli.join", "join", "Work for a node on another machine, with the code of an invitation."),
    "peers": ("hordenode.cli.join", "peers", "Show the nodes in the local network."),
    "worker": ("hordenode.cli.worker", "worker", "Work for any AI Horde with its API key; take in other programs."),
    "models": ("hordenode.cli.models", "models", "Models that this node can run."),
    "config": ("hordenode.cli.config", "config", "Show the options, or write a file with them."),
    "bench": ("hordenode.cli.bench", "bench", "Measure this machine: round trips, steps and tokens a second."),
    "backup": ("hordenode.cli.backup", "backup", "Write the whole horde into one file, while it runs."),
    "restore": ("hordenode.cli.backup", "restore", "Make a horde what a backup holds."),
    "metrics": ("hordenode.cli.metrics", "metrics", "Explain the metrics of a node; print a Grafana dashboard."),
    "doctor": ("hordenode.cli.doctor", "doctor", "Check this machine: engine, memory, data directory, port."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hordenode")
def main() -> None:
    """A whole private AI Horde in one process: works offline, without a GPU, with any AI Horde client."""
