"""ECG records posted at once: few questions to the recorder, an answer for each."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from web_rig import QuietRecorder

from edge.control import Post
from edge.errors import ControlError
from edge.records import BoxNs, MonotonicNs
from edge.web.posts import Posts

CLIENTS = 8


class SlowCard(QuietRecorder):
    """A recorder whose first commit lasts until `go` is set."""

    def __init__(self, wrong: str = "") -> None:
        super().__init__()
        self.go, self.committing = threading.Event(), threading.Event()
        self.questions: list[int] = []
        self._wrong = wrong

    def ecg_records(self, posts: list[Post]) -> list[BoxNs]:
        self.questions.append(len(posts))
        self.committing.set()
        assert self.go.wait(10)
        if self._wrong:
            raise ControlError(self._wrong)
        return super().ecg_records(posts)


def post(second: int) -> Post:
    return Post(BoxNs(second), MonotonicNs(0), {"heart_rate": float(second)})


def crowd(recorder: SlowCard) -> list[BoxNs | BaseException | None]:
    """Post from all clients while the first commit lasts; return what each got."""
    posts = Posts(recorder)
    with ThreadPoolExecutor(CLIENTS) as pool:
        first = pool.submit(posts.keep, post(0))
        assert recorder.committing.wait(10)
        others = [pool.submit(posts.keep, post(n)) for n in range(1, CLIENTS)]
        gathered = threading.Event()
        while len(posts._waiting) < CLIENTS - 1:
            gathered.wait(0.001)
        recorder.go.set()
        return [future.exception() or future.result(10) for future in (first, *others)]


def test_posts_that_come_during_a_commit_share_the_next_one() -> None:
    recorder = SlowCard()

    answers = crowd(recorder)

    assert answers == [BoxNs(second) for second in range(CLIENTS)]
    assert recorder.questions == [1, CLIENTS - 1]
    kept = {record.sampled: record.values["heart_rate"] for record in recorder.posts}
    assert kept == {second: float(second) for second in range(CLIENTS)}


def test_refusal_reaches_everybody_who_waits() -> None:
    recorder = SlowCard(wrong="the card is full")

    answers = crowd(recorder)

    assert [str(answer) for answer in answers] == ["the card is full"] * CLIENTS
    recorder.go.set()
    with pytest.raises(ControlError):
        Posts(recorder).keep(post(9))
