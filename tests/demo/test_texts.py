"""The texts follow their own grammar."""

from __future__ import annotations

import re
from random import Random

from hordenode.demo.answers import SMALL_TALK, TOPICS
from hordenode.demo.stories import HE, NAMES, SHE, Hero, story
from hordenode.demo.texts import INSTRUCT, conversation, document, document_text

DOCUMENTS = [document_text(seed) for seed in range(400)]


def test_same_seed_same_text() -> None:
    assert DOCUMENTS[:50] == [document_text(seed) for seed in range(50)]


def test_texts_are_varied() -> None:
    assert len(set(DOCUMENTS)) > 380


def test_articles_fit_the_next_word() -> None:
    for text in DOCUMENTS:
        assert not re.search(r"\b[Aa] [aeio]", text), text
        assert not re.search(r"\b[Aa]n [bcdfgjklmnpqrstvwxyz]", text), text


def test_spacing_and_marks() -> None:
    for text in DOCUMENTS:
        assert "  " not in text
        assert not re.search(r" [,.!?]", text), text
        assert text[0].isupper() or text.startswith(INSTRUCT.ask)
        assert text.endswith((".", "!", "?", '."')), text


def test_quotes_are_closed() -> None:
    assert all(text.count('"') % 2 == 0 for text in DOCUMENTS)


def test_pronouns_fit_the_hero() -> None:
    for name, pronouns in NAMES.items():
        others = HE if pronouns is SHE else SHE
        for seed in range(20):
            told = story(Random(seed), Hero.named(Random(seed), name))
            assert not re.search(rf"\b({'|'.join(others)})\b", told.lower()), told


def test_what_is_lost_is_found() -> None:
    for seed in range(200):
        told = story(Random(seed), Hero.any(Random(seed)))
        beginning, end = told[: len(told) // 2], told[len(told) // 2 :]
        assert re.search(r"found a|lost|was gone|wished for", beginning), told
        assert re.search(r"found (it|one)|gave (it back|her one|him one)|had lost it", end), told


def test_a_story_asked_for_starts_with_its_hero() -> None:
    hero = Hero("Ada", "brave", "fox")
    assert story(Random(1), hero, asked_for=True).startswith("Ada was a brave fox who lived ")


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
    answers = [answer for topic in TOPICS for answer in topic.answers]
    answers += [answer for talk in SMALL_TALK for answer in talk.answers]
    for answer in answers:
        assert answer[0].isupper()
        assert answer.endswith((".", "!", "?"))


def test_every_topic_has_questions() -> None:
    for topic in TOPICS:
        questions = topic.questions()
        assert len(questions) >= 3
        assert all(question.endswith(("?", ".")) for question in questions)
