"""`hordenode backup` and `hordenode restore`"""

from __future__ import annotations

from pathlib import Path

import click

from hordenode.cli.common import config_option, data_dir_option, explained, settings_for


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_dir_option
@config_option
@explained
def backup(file: Path, data_dir: Path | None, config: Path | None) -> None:
    """Write everything that this horde is into FILE (a tar archive): accounts, queue, results, keys.

    The node may run meanwhile. Keep the file secret: it holds the node's keys. Models are not in it.
    """
    from hordenode.backup import write_backup

    made = write_backup(settings_for(config, data_dir).data_dir, file)
    gone = f", {made.missing} expired meanwhile" if made.missing else ""
    click.echo(f"wrote {file}: {made.size / 2**20:.1f} MB with {made.files} results{gone}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace the horde that is there; it is moved aside.")
@data_dir_option
@config_option
@explained
def restore(file: Path, force: bool, data_dir: Path | None, config: Path | None) -> None:
    """Make this data directory what FILE, a backup, holds. The node must be stopped."""
    from hordenode.backup import restore_backup

    target = settings_for(config, data_dir).data_dir
    former = restore_backup(file, target, force=force)
    click.echo(f"restored {target}")
    if former is not None:
        click.echo(f"what was there before is in {former}")
