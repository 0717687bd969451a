"""The user's models.toml, edited in place: comments, order and layout of what is not meant stay."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, Table

from hordenode.catalog import FILE_NAME, CatalogError, parse_catalog

HEADER = """\
# Models of this node; they win over those that ship with hordenode. `hordenode models add` writes here, and so may you.
"""


class ModelsFile:
    """`<data-dir>/models.toml`. Every change is written as a whole, so that no reader sees half of it."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE_NAME

    def put(self, kind: str, name: str, values: Mapping[str, Any]) -> None:
        """Add an entry, or change these keys of it; None removes a key. Raises CatalogError."""
        document = self._read()
        kinds = document.setdefault(kind, tomlkit.table(is_super_table=True))
        if not isinstance(kinds, AbstractTable):
            raise CatalogError(f'{self.path}: {kind} must hold tables such as [{kind}."name"]')
        entry = kinds.get(name, tomlkit.table())
        for key, value in values.items():
            if value is None or isinstance(value, Mapping):
                entry.pop(key, None)
            else:
                entry[key] = value
        for key, value in values.items():  # tables come after plain keys
            if isinstance(value, Mapping):
                entry.add(key, _table(value))
        if name not in kinds:
            entry.add(tomlkit.nl())
            kinds.add(name, entry)
        self._write(document)

    def drop(self, kind: str, name: str) -> bool:
        """Remove an entry; whether there was one. Raises CatalogError."""
        document = self._read()
        kinds = document.get(kind)
        if not isinstance(kinds, AbstractTable) or name not in kinds:
            return False
        del kinds[name]
        if not kinds:
            del document[kind]
        self._write(document)
        return True

    def _read(self) -> tomlkit.TOMLDocument:
        try:
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else HEADER
            return tomlkit.parse(text)
        except (OSError, UnicodeDecodeError, TOMLKitError) as error:
            raise CatalogError(f"{self.path}: {error}") from error

    def _write(self, document: tomlkit.TOMLDocument) -> None:
        """Replace the file, once what it will say has been found to be right."""
        parse_catalog(document.unwrap(), self.path, self.path.parent)
        text = tomlkit.dumps(document)
        if tomlkit.parse(text).unwrap() != document.unwrap():
            raise CatalogError(f"{self.path}: is laid out in a way that cannot be edited; write the entry by hand")
        temporary = self.path.with_name(f"{FILE_NAME}.new")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if self.path.exists():
            temporary.chmod(self.path.stat().st_mode & 0o777)
        temporary.replace(self.path)


def _table(values: Mapping[str, Any]) -> Table:
    made = tomlkit.table()
    made.update(values)
    return made
