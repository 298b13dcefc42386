"""What an answer to a status request says of its task. Pure.

Source: API document, Poll Status; docs/api-facts.md, a and c; docs/hazards.md, b (Poll).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from veopipe.dialects.addresses import is_about_address, is_of_router
from veopipe.dialects.base import Asked, Evidence, PollAnswer, Progress, Told
from veopipe.dialects.bodies import A_PAGE, code_of, complaint_of, error_words, parse_json, words_of
from veopipe.dialects.heads import retry_after
from veopipe.dialects.videos import jobs

_ABOUT_TASK = re.compile(r"task|video|job|generation|operation|resource|record|任务|视频", re.IGNORECASE)


def judge(evidence: Evidence, task_id: str) -> PollAnswer:
    """The verdict on a poll of that task; an unknown word means that it still runs."""
    if evidence.status is None:
        return PollAnswer(Progress.TROUBLE, evidence.error or "no answer")
    document = parse_json(evidence.body)
    job = jobs.job_of(document)
    if job is not None and jobs.is_about(job, task_id, is_error=evidence.status >= 300):
        return _progress_of(job, document)
    if evidence.status >= 300:
        return _refused(evidence.status, evidence)
    said = "the answer is no task object" if job is None else "the answer isn't about this task"
    code, words = error_words(evidence.body)
    words = words or code
    pause = retry_after(evidence.headers)
    return PollAnswer(Progress.TROUBLE, f"{said}: {words}" if words else said, retry_after=pause, is_news=True)


def _refused(status: int, evidence: Evidence) -> PollAnswer:
    """What an error says that says nothing of the task."""
    code, words = error_words(evidence.body)
    words = words or code
    told = None if words is None or words.startswith(A_PAGE) else words  # a page's title is the status once more
    said = f"HTTP {status}: {told}" if told else f"HTTP {status}"
    if status in {401, 403}:
        return PollAnswer(Progress.KEY_REFUSED, told or said)
    if status in {404, 410} or (status == 400 and _names_no_task(code, words)):
        return _no_such_task(status, code, words)
    return PollAnswer(
        Progress.TROUBLE,
        said,
        retry_after=retry_after(evidence.headers),
        busy=status == 429,
        is_news=status != 429,
        is_about_route=is_about_address(status, code, words, Asked()),
    )


def _no_such_task(status: int, code: str | None, words: str | None) -> PollAnswer:
    if words is None:  # without words it may mean the task or the address
        return PollAnswer(Progress.NO_SUCH_TASK, f"HTTP {status}", is_news=True)
    certain = is_of_router(words)
    if not (is_about_address(status, code, words, Asked()) and (certain or not _ABOUT_TASK.search(words))):
        return PollAnswer(Progress.NO_SUCH_TASK, words, is_news=True)
    said = f"HTTP {status}: {words}"
    if certain:  # a bare "not found" may be about the task
        said = f"there is no such address ({said}); provider.base_url is what stands before /v1/videos"
    return PollAnswer(Progress.NO_SUCH_TASK, said, is_news=True, is_about_route=True)


def _progress_of(job: Mapping[str, Any], document: Any) -> PollAnswer:
    word, percent = jobs.word_of(job), _percent(job.get("progress"))
    meaning = jobs.meaning_of(word)
    if meaning in jobs.DONE:
        return PollAnswer(
            Progress.COMPLETED, percent=100, told=Told(completed_at=jobs.instant(job.get("completed_at")))
        )
    words = words_of(job) or words_of(document)
    if meaning in jobs.FAILED:
        said = words or code_of(job) or "the gateway gave no reason"
        return PollAnswer(Progress.FAILED, said if meaning in {"failed", "error"} else f"{word}: {said}")
    said = f'the gateway says "{word}"' if word else "the gateway gives no status"
    said = f"{said}: {words}" if words else said
    news = meaning not in jobs.RUNNING or complaint_of(document) is not None
    return PollAnswer(Progress.RUNNING, said, percent, is_news=news)


def _percent(said: Any) -> int | None:
    if isinstance(said, str):
        said = said.strip().removesuffix("%")
    try:
        percent = float(said)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(min(max(percent, 0), 100)) if math.isfinite(percent) else None


def _names_no_task(code: str | None, words: str | None) -> bool:
    return code in {"task_not_exist", "task_not_found"} or "task_not_exist" in (words or "")
