"""Measures the exported text model: answers to new questions, names and themes in stories (onnxruntime and numpy only)."""

from __future__ import annotations

import argparse
import re
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from hordenode.demo.onnx_text import OnnxTextModel
from hordenode.demo.paraphrases import PARAPHRASES
from hordenode.demo.storyworld import EVERY_NAME, THEMES, Plot, wish
from hordenode.demo.texts import CHAT, EVERY_TOPIC

MODEL = Path(__file__).parent / "models" / "text"
# Plots of measured stories are drawn from here on; their requests are worded like the training's, of other plots.
FIRST_PLOT = 2_000_000_000
LONGEST = 220


@dataclass(frozen=True)
class Told:
    """A story that the model told: the plot that was wished for, the words of the wish, the text."""

    plot: Plot
    wish: str
    text: str

    @property
    def names(self) -> list[str]:
        """The names of the story in the order in which they appear, each once."""
        return _names(self.text)

    @property
    def consistent(self) -> bool:
        """Two names, hero and friend, and the hero is the one who was wished for."""
        wished = _names(self.wish)
        return len(self.names) == 2 and self.names[: len(wished)] == wished and self._pronouns_fit

    @property
    def _pronouns_fit(self) -> bool:
        """The friend's pronouns never appear in our stories: every 'she' or 'he' is the hero's."""
        others = {"she", "her", "he", "his", "him"} - set(EVERY_NAME[self.names[0]])
        return not others & set(re.findall(r"[a-z]+", self.text.lower()))

    @property
    def on_theme(self) -> bool:
        """The words of the wish are in the story."""
        plain = {
            "and",
            "who",
            "named",
            "lives",
            "for",
            "the",
            "in",
            "by",
            "near",
            "at",
            "of",
            "on",
            "beside",
            "edge",
            "a",
        }
        words = set(re.findall(r"[a-z]+", self.wish.replace(self.plot.course, "").lower())) - plain - {"an"}
        return words <= set(re.findall(r"[a-z]+", self.text.lower()))


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(word for word in re.findall(r"[A-Z][a-z]+", text) if word in EVERY_NAME))


def answer(model: OnnxTextModel, question: str) -> str:
    """Return what the model says to one question in the chat layout."""
    prompt = model.encode(f"{CHAT.ask}{question}{CHAT.reply}")
    return model.decode(model.greedy(prompt, LONGEST)).strip()


def right_answers(model: OnnxTextModel) -> tuple[int, int]:
    """Ask every paraphrase; returns how many answers are right, word by word, and how many were asked."""
    answers = {topic.name: topic.answers for topic in EVERY_TOPIC}
    right = asked = 0
    for name, questions in PARAPHRASES.items():
        for question in questions:
            said = answer(model, question)
            asked += 1
            right += said in answers[name]
            if said not in answers[name]:
                print(f"wrong ({name}): {question} -> {said}", flush=True)
    return right, asked


def tell(model: OnnxTextModel, count: int) -> list[Told]:
    """Have stories told on wishes for new plots."""
    stories = []
    for seed in range(FIRST_PLOT, FIRST_PLOT + count):
        random = Random(seed)
        plot = Plot.any(random)
        wished = wish(plot, random.choice(THEMES))
        stories.append(Told(plot, wished, answer(model, f"Tell me a story about {wished}.")))
    return stories


def speed(model: OnnxTextModel) -> tuple[float, float]:
    """Return the milliseconds to the first token and the tokens per second after it."""
    prompt = model.encode(f"{CHAT.ask}Tell me a story about a fox and a lantern.{CHAT.reply}")
    model.greedy(prompt, 1)
    started = time.perf_counter()
    model.greedy(prompt, 1)
    first = time.perf_counter() - started
    started = time.perf_counter()
    written = len(model.greedy(prompt, 100))
    return first * 1000, (written - 1) / (time.perf_counter() - started - first)


def main() -> None:
    """Run the measurement from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the exported text model")
    parser.add_argument("--stories", type=int, default=200, help="stories to have told")
    options = parser.parse_args()
    model = OnnxTextModel(options.model)
    right, asked = right_answers(model)
    print(f"right answers {right}/{asked} = {right / asked:.1%}", flush=True)
    told = tell(model, options.stories)
    for name, count in (
        ("names consistent", sum(t.consistent for t in told)),
        ("theme", sum(t.on_theme for t in told)),
    ):
        print(f"{name} {count}/{len(told)} = {count / len(told):.1%}", flush=True)
    print("first token {:.0f} ms, {:.0f} tokens/s".format(*speed(model)), flush=True)


if __name__ == "__main__":
    main()
