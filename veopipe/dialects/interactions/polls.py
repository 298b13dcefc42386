"""What an answer to a status request says of its interaction. Pure.

Source: docs/api-facts.md, h; docs/hazards.md, b (Poll).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from veopipe.dialects.addresses import is_of_router
from veopipe.dialects.base import Evidence, PollAnswer, Progress, Told
from veopipe.dialects.bodies import code_of, parse_json, words_of, words_of_body
from veopipe.dialects.heads import retry_after
from veopipe.dialects.interactions import interaction
from veopipe.dialects.interactions.complaints import complaint_of


def judge(evidence: Evidence, task_id: str, longest: int) -> PollAnswer:
    """The verdict on a poll of that task; an unknown word means that it still runs.

    Args:
        evidence: of the poll.
        task_id: of the interaction that was asked for.
        longest: bytes that the answer may have.
    """
    if evidence.status is None:
        return PollAnswer(Progress.TROUBLE, evidence.error or "no answer")
    if not 200 <= evidence.status < 300:
        return _refused(evidence.status, evidence)
    document = parse_json(evidence.body, longest)
    if isinstance(document, dict) and document.get("id") == task_id:
        return _progress_of(document, evidence.base_url)
    said = "the answer is no interaction"
    if len(evidence.body) > longest:
        said = f"the answer has more than {longest:,} bytes"
    elif isinstance(document, dict) and document.get("id"):
        said = "the answer isn't about this interaction"
    words = words_of_body(evidence.body)
    return PollAnswer(
        Progress.TROUBLE, f"{said}: {words}" if words else said, retry_after=retry_after(evidence.headers), is_news=True
    )


def _refused(status: int, evidence: Evidence) -> PollAnswer:
    """What an error says that says nothing of the task. A 400 is trouble, and never proof of anything."""
    complaint = complaint_of(status, evidence.body)
    if complaint.names_no_task:
        return PollAnswer(Progress.NO_SUCH_TASK, complaint.said, is_news=True)
    if complaint.is_about_key or status == 403:
        return PollAnswer(Progress.KEY_REFUSED, complaint.said)
    if status in {404, 410}:
        lost = complaint.words is None or is_of_router(complaint.words)
        return PollAnswer(Progress.NO_SUCH_TASK, complaint.said, is_news=True, is_about_route=lost)
    said = complaint.said if complaint.is_page or complaint.words is None else f"HTTP {status}: {complaint.words}"
    return PollAnswer(
        Progress.TROUBLE,
        said,
        retry_after=retry_after(evidence.headers),
        busy=status == 429,
        is_news=status != 429,
    )


def _progress_of(document: Mapping[str, Any], base_url: str) -> PollAnswer:
    word = interaction.word_of(document)
    meaning = word.lower()
    if meaning == "completed" or meaning in interaction.ENDED:
        return _ended(document, word, base_url)
    said = f'the gateway says "{word}"' if word else "the gateway gives no status"
    words = words_of(document)
    said = f"{said}: {words}" if words else said
    return PollAnswer(Progress.RUNNING, said, is_news=meaning not in interaction.RUNNING or words is not None)


def _ended(document: Mapping[str, Any], word: str, base_url: str) -> PollAnswer:
    """An interaction that is over. Whatever its end is called: a video that is there can be looked at."""
    address, problem = interaction.content_of(document, base_url)
    told = Told(address, interaction.tokens_of(document))
    if address is not None:
        return PollAnswer(Progress.COMPLETED, percent=100, told=told)
    said = words_of(document) or code_of(document) or interaction.said_instead(document)
    if word.lower() == "completed":
        return _without_video(problem, said, told)
    said = said or "the gateway gave no reason"
    return PollAnswer(Progress.FAILED, said if word.lower() == "failed" else f"{word}: {said}", told=told)


def _without_video(problem: str, said: str, told: Told) -> PollAnswer:
    """An interaction that is completed and has no video that can be asked for.

    Without video tokens none was made, on purpose. If there are some, or nobody says, it may be paid.
    """
    if told.tokens is not None and not told.tokens.video and not problem:
        return PollAnswer(Progress.BLOCKED, f"the gateway made no video: {said or 'it gave no reason'}", told=told)
    why = problem or (f"it names none: {said}" if said else "it names none")
    return PollAnswer(Progress.UNREADABLE, f"completed, and its video can't be asked for: {why}", told=told)
