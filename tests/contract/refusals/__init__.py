"""Every refusal that api.json lists, as a table: a module per part of the API, and what is never answered."""

from tests.contract.refusals import alchemy, generation, house, kudos, people, pictures, styles
from tests.contract.refusals.case import Case
from tests.contract.refusals.never import NEVER

CASES: list[Case] = [
    *generation.CASES,
    *pictures.CASES,
    *alchemy.CASES,
    *styles.CASES,
    *people.CASES,
    *kudos.CASES,
    *house.CASES,
]

__all__ = ["CASES", "NEVER", "Case"]
