"""What a worker tells the horde about a picture: metadata, censorship, and how it was made."""

from __future__ import annotations

import io

from PIL import Image

from hordenode.engine.jobs import ImageJob, Picture
from hordenode.protocol import image as wire
from hordenode.worker.metadata import parameters
from hordenode.worker.results import Sources, encode_webp, engine_image_job, image_submit, remarks_on

JOB = ImageJob("job", "a model, 2", "a house", "fog", width=64, height=64, clip_skip=2, tiling=True)
PLAIN = Picture(64, 64, bytes(64 * 64 * 3), 9)


def test_a_censored_picture_is_submitted_as_one() -> None:
    made = image_submit("id", Picture(64, 64, b"", 9, nsfw=True, censored=True), (), 0, 1)
    assert (made.state, made.censored, made.seed) == ("censored", True, 9)
    assert [(each.type, each.value) for each in made.gen_metadata] == [("censorship", "nsfw")]


def test_an_unsafe_picture_that_nobody_wanted_censored_is_marked() -> None:
    made = image_submit("id", Picture(64, 64, b"", 9, nsfw=True), (), 1, 2)
    assert (made.state, made.censored) == ("ok", False)
    assert [(each.type, each.value) for each in made.gen_metadata] == [
        ("information", "nsfw"),
        ("batch_index", "see_ref"),
    ]


def test_a_lost_mask_is_reported() -> None:
    remarks = remarks_on(JOB, Sources(b"x", lost=("source_mask",)), PLAIN)
    assert [(each.type, each.value) for each in remarks] == [("source_mask", "download_failed")]


def test_a_picture_keeps_quiet_when_it_should() -> None:
    text = parameters(JOB, PLAIN)
    assert 'Model: "a model, 2", Clip skip: 2, Tiling: True' in text
    told, quiet = (Image.open(io.BytesIO(encode_webp(PLAIN, each))) for each in (text, ""))
    assert told.getexif() and not quiet.getexif()


def test_a_worker_that_offers_nothing_unsafe_censors_whatever_the_job_says() -> None:
    job = wire.ImageJob(id="a", ids=("a",), model="a model", payload=wire.ImageJobPayload(prompt="a house", seed="7"))
    assert [engine_image_job(job, Sources(), 0, safe=safe).censor_nsfw for safe in (True, False)] == [True, False]
