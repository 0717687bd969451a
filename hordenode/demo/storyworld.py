"""The world of the stories: who lives in it and where, what can be lost or found, and what a story can be asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

# Every name with the pronouns of its bearer: subject, possessive, object.
SHE, HE = ("she", "her", "her"), ("he", "his", "him")
NAMES = {
    **dict.fromkeys(
        "Mira Lena Nia Ada Rosa Juno Clara Ivy Anna Bella Cora Dora Ella Flora Greta Hanna Ida Lily Maya Nora Olga Ruby".split(),
        SHE,
    ),
    **dict.fromkeys(
        "Tom Otto Paul Finn Emil Karl Hugo Leo Adam Ben Carl Dan Erik Felix Gus Henry Jack Luke Max Noah Oscar Sam".split(),
        HE,
    ),
}
# Names that only some of the learned stories have: a model that meets many of them learns to copy any.
RARE_NAMES = {
    **dict.fromkeys(
        (
            "Alice Amelie Astrid Beate Bianca Carla Celia Daisy Dana Diana Edith Elena Elisa Emma Esther Eva Fiona Frida Gina "
            "Grace Hazel Helen Heidi Ines Irene Iris Isabel Jana Jane Jill Judith Julia Karen Kate Laura Linda Lisa Lotte Lucy "
            "Maria Martha Mary Mia Monika Nina Nelly Olivia Paula Petra Rita Sara Selma Silke Sofia Sonja Sophie Stella Susan "
            "Tilda Tina Ursula Vera Wanda Wendy Yara Zelda Zoe"
        ).split(),
        SHE,
    ),
    **dict.fromkeys(
        (
            "Albert Alex Anton Aron Arthur Axel Bernd Bill Bob Boris Bruno Charlie Chris Conrad David Dirk Eddie Edgar Elias "
            "Ernst Fabian Frank Fred Fritz Georg Gerald Harry Hans Ian Igor Ivan Jakob James Jan Jim Joe John Jonas Kai Kevin "
            "Kurt Lars Linus Lukas Marco Mark Martin Mike Moritz Nick Nils Olaf Omar Peter Philip Quentin Ralf Rene Robert "
            "Robin Roy Simon Steve Sven Theo Tim Tony Udo Victor Walter Willem Xaver Yusuf"
        ).split(),
        HE,
    ),
}
EVERY_NAME = NAMES | RARE_NAMES
# Who most heroes' friends are. Where all names were as likely, a greedy model would take the one that it has read, the hero's.
FRIENDS = "Felix Juno Ruby Paul Nora Tom Lily Max".split()
NATURES = "small brave quiet clever young happy shy curious friendly patient old kind lazy proud".split()
KINDS = (
    "fox cat robot dragon sailor baker rabbit owl painter gardener knight bear mouse squirrel farmer dog bird pirate hen "
    "goat wolf frog teacher doctor child turtle elephant horse pony ghost giant"
).split()
# What a place is called when a story is wished for, and how it is said that somebody lives there.
HOMES = {
    "a valley": "in a green valley",
    "the sea": "by the cold sea",
    "a forest": "near a dark forest",
    "a mountain": "on a high mountain",
    "a town": "in a busy town",
    "the desert": "at the edge of the desert",
    "a river": "beside a wide river",
    "an island": "on a small island",
    "a castle": "in an old castle",
    "a village": "in a quiet village",
    "the snow": "in the land of snow",
    "a garden": "in a large garden",
    "a lighthouse": "in a white lighthouse",
    "the moon": "on the moon",
}
THINGS = (
    "lantern key map boat kite book bell drum compass violin ring hat coin mirror crown letter balloon ball clock candle "
    "box flute scarf shell feather stone spoon cup picture wagon"
).split()
LOOKS = "red blue golden silver green wooden shiny yellow tiny magic".split()
WEATHERS = "sunny rainy windy snowy foggy quiet cold warm".split()


def with_article(phrase: str) -> str:
    """Put 'a' or 'an' before a phrase."""
    return f"{'an' if phrase[0] in 'aeio' else 'a'} {phrase}"


@dataclass(frozen=True)
class Plot:
    """What a story is made of; the sentences only pick the wording."""

    name: str
    nature: str
    kind: str
    friend: str
    place: str
    thing: str
    look: str
    weather: str
    course: str

    @staticmethod
    def any(random: Random) -> Plot:
        """Pick everything."""
        name, friend = random.sample(tuple(NAMES), 2)
        return Plot(
            name,
            random.choice(NATURES),
            random.choice(KINDS),
            friend,
            random.choice(tuple(HOMES)),
            random.choice(THINGS),
            random.choice(LOOKS),
            random.choice(WEATHERS),
            random.choice(("found", "lost", "wished for", "made")),
        )

    def renamed(self, random: Random) -> Plot:
        """Give hero and friend other names, rare ones among them."""
        name, friend = random.sample(tuple(EVERY_NAME), 2)
        return replace(self, name=name, friend=friend)

    def befriended(self, random: Random) -> Plot:
        """Give the hero one of the usual friends."""
        return replace(self, friend=random.choice([name for name in FRIENDS if name != self.name]))

    @property
    def who(self) -> str:
        """The hero in two words: 'brave fox'."""
        return f"{self.nature} {self.kind}"

    @property
    def home(self) -> str:
        """Where the hero lives: 'by the cold sea'."""
        return HOMES[self.place]

    @property
    def they(self) -> str:
        """The hero as a subject: she or he."""
        return EVERY_NAME[self.name][0]

    @property
    def their(self) -> str:
        """The hero's possessive: her or his."""
        return EVERY_NAME[self.name][1]

    @property
    def them(self) -> str:
        """The hero as an object: her or him."""
        return EVERY_NAME[self.name][2]


THEMES = ("name", "kind", "thing", "place")


def wish(plot: Plot, theme: str) -> str:
    """Say what the plot's story is about, as someone who asks for it would: 'a fox'."""
    wishes = {
        "name": plot.name,
        "kind": with_article(plot.kind),
        "thing": with_article(plot.thing),
        "place": plot.place,
    }
    return wishes[theme]
