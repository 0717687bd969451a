"""Training text written by a grammar of our own: short stories, and questions about hordenode with their answers."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hordenode.demo.answers import SMALL_TALK, TOPICS
from hordenode.demo.stories import NAMES, Hero, story


@dataclass(frozen=True)
class Layout:
    """How a conversation is laid out: what stands before the question, after it, and before the answer."""

    ask: str
    reply: str
    gap: str


CHAT = Layout("User: ", "\nAssistant:", " ")
INSTRUCT = Layout("### Instruction:\n", "\n### Response:\n", "")
LAYOUTS = (CHAT, CHAT, CHAT, INSTRUCT)

GREETINGS = ("", "", "", "", "Hello! ", "Hi! ", "Hi, ", "Hello, ")
SCENES = ("a boat on the sea", "a house in the snow", "a pine tree in the desert", "mountains in a meadow")
MOMENTS = ("at night", "at sunset", "by day", "in fog")


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
    if random.random() < 0.45:
        return (Passage(story(random, Hero.any(random)), ends=True),)
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
    count = random.choice((1, 1, 2, 2, 3, 4))
    topics = random.sample(TOPICS, count)
    turns = [_topic_turn(random, topic.questions(), topic.answers) for topic in topics]
    if random.random() < 0.3:
        talk = random.choice(SMALL_TALK)
        place = 0 if talk.opens else len(turns)
        turns.insert(place, Turn(random.choice(talk.says), random.choice(talk.answers)))
    if random.random() < 0.25:
        turns.append(random.choice((_story_turn, _prompt_turn))(random))
    turns[0] = Turn(_greet(random, turns[0].question), turns[0].answer)
    return turns


def _topic_turn(random: Random, questions: tuple[str, ...], answers: tuple[str, ...]) -> Turn:
    question = random.choice(questions)
    if random.random() < 0.15:
        # People type in a hurry.
        question = question.lower().rstrip("?.")
    return Turn(question, random.choice(answers))


def _story_turn(random: Random) -> Turn:
    if random.random() < 0.5:
        request = random.choice(("Tell me a story.", "Write a short story.", "Can you tell me a story?"))
        return Turn(request, story(random, Hero.any(random)))
    hero = Hero.named(random, random.choice(tuple(NAMES)))
    request = random.choice((f"Tell me a story about {hero.name}.", f"Write a story about {hero.name}."))
    return Turn(request, story(random, hero, asked_for=True))


def _prompt_turn(random: Random) -> Turn:
    request = random.choice(("Give me a prompt for a picture.", "Write a prompt for me.", "What could I draw?"))
    return Turn(request, f"Try this prompt: {random.choice(SCENES)} {random.choice(MOMENTS)}.")


def _greet(random: Random, question: str) -> str:
    greeting = random.choice(GREETINGS)
    if question.lower().startswith(("h", "good")):
        # "Hello! Hello!" or "Hi! How are you?" twice over: leave greetings and their like alone.
        return question
    if greeting.endswith(", "):
        return greeting + question[0].lower() + question[1:]
    return greeting + question
