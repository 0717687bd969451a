"""The texts follow their own grammar."""

from __future__ import annotations

import re
from random import Random

import pytest

from hordenode.demo.answers_use import SMALL_TALK
from hordenode.demo.eval_text import Told
from hordenode.demo.paraphrases import PARAPHRASES
from hordenode.demo.phrasing import careless, spoken, spoken_by
from hordenode.demo.stories import COURSES, dialogue, story
from hordenode.demo.storyworld import HE, NAMES, SHE, THEMES, Plot, wish
from hordenode.demo.texts import EVERY_TOPIC, INSTRUCT, conversation, document, document_text

DOCUMENTS = [document_text(seed) for seed in range(400)]
STORIES = [" ".join(story(Random(seed), Plot.any(Random(seed)))) for seed in range(200)]


def test_same_seed_same_text() -> None:
    assert DOCUMENTS[:50] == [document_text(seed) for seed in range(50)]


def test_texts_are_varied() -> None:
    assert len(set(DOCUMENTS)) > 380


def test_articles_fit_the_next_word() -> None:
    for text in STORIES:
        assert not re.search(r"\b[Aa] [aeio]", text), text
        assert not re.search(r"\b[Aa]n [bcdfgjklmnpqrstvwxyz]", text), text


def test_spacing_and_marks() -> None:
    for text in DOCUMENTS:
        assert "  " not in text
        assert not re.search(r" [,.!?]", text), text
        assert text.startswith(("User: ", INSTRUCT.ask)) or text[0].isupper()
        assert text.endswith((".", "!", "?", '."')), text


def test_quotes_are_closed() -> None:
    assert all(text.count('"') % 2 == 0 for text in STORIES)


def test_pronouns_fit_the_hero() -> None:
    for seed, told in enumerate(STORIES):
        others = HE if NAMES[Plot.any(Random(seed)).name] is SHE else SHE
        assert not re.search(rf"\b({'|'.join(others)})\b", told.lower()), told


@pytest.mark.parametrize("course", COURSES)
def test_what_is_sought_is_found(course: str) -> None:
    ends = {
        "found": "gave it back|had lost it",
        "lost": "found it",
        "wished for": "gave (her|him) one|found one",
        "made": "made it for you",
    }
    plots = [plot for plot in (Plot.any(Random(seed)) for seed in range(200)) if plot.course == course]
    for plot in plots:
        told = " ".join(story(Random(1), plot))
        assert re.search(rf"{plot.thing}.*({ends[course]})", told), told
    assert len(plots) > 20


@pytest.mark.parametrize("theme", THEMES)
def test_a_story_that_was_wished_for_begins_with_the_wish(theme: str) -> None:
    for seed in range(40):
        plot = Plot.any(Random(seed))
        assert " ".join(story(Random(seed), plot, theme)).lower().startswith(wish(plot, theme).lower())


def test_a_dialogue_alternates_and_ends_well() -> None:
    plot = Plot.any(Random(3))
    lines = dialogue(Random(4), plot).split("\n")
    assert [line.split(":")[0] for line in lines] == [plot.name, plot.friend] * 3
    assert plot.thing in lines[3]
    assert plot.name in lines[5].split(": ")[1]


def test_answers_end_and_questions_do_not() -> None:
    for seed in range(200):
        passages = document(seed)
        assert passages[-1].ends
        if len(passages) > 1:
            assert [passage.ends for passage in passages] == [False, True] * (len(passages) // 2)


def test_conversations_do_not_repeat_a_question() -> None:
    for seed in range(200):
        questions = [turn.question for turn in conversation(Random(seed))]
        assert len(set(questions)) == len(questions)


def test_answers_are_whole_sentences() -> None:
    answers = [answer for topic in EVERY_TOPIC for answer in topic.answers]
    answers += [answer for talk in SMALL_TALK for answer in talk.answers]
    assert len(set(answers)) == len(answers)
    for answer in answers:
        assert answer[0].isupper()
        assert answer.endswith((".", "!", "?"))


def test_patterns_stand_for_what_they_say() -> None:
    for topic in EVERY_TOPIC:
        for seed, pattern in enumerate(topic.asks):
            said = spoken(Random(seed), pattern)
            assert not set("()|") & set(said), said
            assert spoken_by(pattern, said), (pattern, said)
    assert not spoken_by("(What|Who) is (a|the) worker?", "What is a prompt?")


def test_measured_questions_are_not_learned_ones() -> None:
    assert set(PARAPHRASES) == {topic.name for topic in EVERY_TOPIC}
    for questions in PARAPHRASES.values():
        assert len(questions) >= 5
        for question in questions:
            assert not any(spoken_by(pattern, question) for topic in EVERY_TOPIC for pattern in topic.asks), question


def test_carelessness_keeps_most_letters() -> None:
    said = [careless(Random(seed), "What does a worker do?") for seed in range(100)]
    assert 40 < said.count("What does a worker do?") < 90
    assert all(len("What does a worker do?") - len(text) <= 2 for text in said)


def test_stories_pass_the_measurement_that_wrong_ones_fail() -> None:
    for seed in range(300):
        random = Random(seed)
        plot = Plot.any(random)
        theme = random.choice(THEMES)
        told = Told(plot, wish(plot, theme), " ".join(story(random, plot, theme)))
        assert told.consistent, told
        assert told.on_theme, told
    plot = Plot.any(Random(1))
    text = " ".join(story(Random(2), plot))
    stranger = next(name for name in NAMES if name not in (plot.name, plot.friend))
    assert not Told(plot, "a story", f"{text} {stranger} laughed.").consistent
    assert not Told(plot, stranger, text).consistent
    assert not Told(plot, "a story", text.replace(plot.friend, plot.name)).consistent
    assert not Told(plot, "a submarine", text).on_theme
    other = "He" if NAMES[plot.name] is SHE else "She"
    assert not Told(plot, plot.name, f"{text} {other} laughed.").consistent
