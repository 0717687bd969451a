"""Training text written by a grammar of our own: short stories, and questions about hordenode with their answers."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hordenode.demo.answers import TOPICS, Topic
from hordenode.demo.answers_use import GENERAL, GENERAL_ENDS, SMALL_TALK, STRANGE, STRANGE_ANSWER, USES
from hordenode.demo.phrasing import careless, spoken
from hordenode.demo.stories import dialogue, story
from hordenode.demo.storyworld import THEMES, Plot, wish

EVERY_TOPIC = TOPICS + USES


@dataclass(frozen=True)
class Layout:
    """How a conversation is laid out: what stands before the question, after it, and before the answer."""

    ask: str
    reply: str
    gap: str


CHAT = Layout("User: ", "\nAssistant:", " ")
INSTRUCT = Layout("### Instruction:\n", "\n### Response:\n", "")
LAYOUTS = (CHAT, CHAT, CHAT, INSTRUCT)

SCENES = ("a boat on the sea", "a house in the snow", "two red balloons", "a cat in a meadow", "a blue car on a road")
MOMENTS = ("at night", "at sunset", "in fog", "in watercolour", "in pixel art")
SHARE_OF_STORIES, SHARE_OF_WISHES, SHARE_OF_STRANGE = 0.12, 0.45, 0.06
SHARE_OF_RARE_NAMES, SHARE_OF_USUAL_FRIENDS = 0.5, 0.85

STORY_REQUESTS = (
    "(Tell|Write|Tell me|Write me|Give me|Can you tell me|Please write|Please tell me) (a|a short|a nice|a little) story",
    "(I want to hear|I would like|Make up|Invent|Do you know) (a|a short|another) story",
    "(A|Another) (story|short story|tale)",
)
ABOUT = (" about ", " about ", " about ", " of ", " with ")
CONTINUE = ("Continue: ", "Continue this story: ", "Go on: ", "What happens next? ", "Finish this story: ")


@dataclass(frozen=True)
class Turn:
    """One question and its answer."""

    question: str
    answer: str


@dataclass(frozen=True)
class Passage:
    """A piece of a document; where `ends` is set, a model that wrote the piece should stop."""

    text: str
    ends: bool


def document(seed: int) -> tuple[Passage, ...]:
    """Return the training document of this seed, a story or a conversation, in the order of its passages."""
    random = Random(seed)
    if random.random() < SHARE_OF_STORIES:
        return (Passage(" ".join(story(random, _plot(random))), ends=True),)
    layout = random.choice(LAYOUTS)
    passages: list[Passage] = []
    for turn in conversation(random):
        ask = layout.ask if not passages else "\n" + layout.ask
        passages.append(Passage(ask + turn.question + layout.reply, ends=False))
        passages.append(Passage(layout.gap + turn.answer, ends=True))
    return tuple(passages)


def document_text(seed: int) -> str:
    """Return the document of this seed as one text."""
    return "".join(passage.text for passage in document(seed))


def conversation(random: Random) -> list[Turn]:
    """Return one to four turns on different subjects; at most one of them, the last, is a story."""
    if random.random() < SHARE_OF_WISHES:
        return [random.choice((_story_turn,) * 6 + (_continue_turn, _dialogue_turn))(random)]
    turns = [_topic_turn(random, topic) for topic in random.sample(EVERY_TOPIC, random.choice((1, 1, 2, 3, 4)))]
    if random.random() < SHARE_OF_STRANGE:
        turns[-1] = Turn(careless(random, spoken(random, random.choice(STRANGE))), STRANGE_ANSWER)
    if random.random() < 0.2:
        talk = random.choice(SMALL_TALK)
        said = Turn(careless(random, spoken(random, random.choice(talk.says))), random.choice(talk.answers))
        turns.insert(0 if talk.opens else len(turns), said)
    if random.random() < 0.15:
        turns.append(random.choice((_story_turn, _prompt_turn, _dialogue_turn))(random))
    return turns


def _topic_turn(random: Random, topic: Topic) -> Turn:
    asked = spoken(random, random.choice(topic.asks))
    asked = asked[0].upper() + asked[1:]
    opening = random.choice(GENERAL)
    if opening.endswith((", ", ": ")) and not asked.startswith("I "):
        asked = asked[0].lower() + asked[1:]
    return Turn(careless(random, opening + asked + random.choice(GENERAL_ENDS)), random.choice(topic.answers))


def _named_plot(random: Random) -> Plot:
    plot = Plot.any(random)
    return plot.renamed(random) if random.random() < SHARE_OF_RARE_NAMES else plot


def _plot(random: Random) -> Plot:
    plot = _named_plot(random)
    return plot.befriended(random) if random.random() < SHARE_OF_USUAL_FRIENDS else plot


def _story_turn(random: Random) -> Turn:
    plot, request = _plot(random), spoken(random, random.choice(STORY_REQUESTS))
    theme = random.choice(("name", *THEMES)) if random.random() < 0.9 else ""
    about = random.choice(ABOUT) + wish(plot, theme) if theme else ""
    return Turn(f"{request}{about}.", " ".join(story(random, plot, theme)))


def _continue_turn(random: Random) -> Turn:
    told = story(random, _plot(random))
    known = random.choice((1, 1, 2, 3))
    return Turn(random.choice(CONTINUE) + " ".join(told[:known]), " ".join(told[known:]))


def _dialogue_turn(random: Random) -> Turn:
    plot = _named_plot(random)
    request = random.choice(("Write a dialogue between", "Write a talk between", "Show me a conversation of"))
    about = random.choice(("", f" about a {plot.thing}", f" about a {plot.look} {plot.thing}"))
    return Turn(f"{request} {plot.name} and {plot.friend}{about}.", dialogue(random, plot))


def _prompt_turn(random: Random) -> Turn:
    request = random.choice(("Give me a prompt for a picture.", "Write a prompt for me.", "Which prompt could I try?"))
    return Turn(request, f"Try this prompt: {random.choice(SCENES)} {random.choice(MOMENTS)}.")
