"""May this plan be carried out? The plan file, the caps, `--yes`, a person; and whether the ledger is the right one.

* Without a person to ask and without a word on the command line, nothing is sent.
* A plan file is a permission: the run makes only creates that it lists, at no higher price.
* A cap that covers the plan or `--yes` counts as a yes; a rehearsal never asks.

Source: docs/design.md, 4 (Consent), 5 (Whose ledger it is) and 7 (--plan).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from veopipe.errors import ConsentRequired, EnvironmentFault, ExitCode
from veopipe.ledger import moves, owner, safekeeping
from veopipe.plan.permission import Permission
from veopipe.plan.plan import Item, Plan
from veopipe.plan.words import bought_words, causes_words, elsewhere_words, picks_words, retired_words
from veopipe.project.open_ledger import OpenLedger
from veopipe.run.events import Note
from veopipe.takes.money import dollars_left, dollars_to_come
from veopipe.text import counted
from veopipe.values import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run may do without asking.

    Attributes:
        yes: `--yes`.
        permission: of `--plan`; None: no plan file limits it.
        new_ledger: `--new-ledger`.
        take_over: `--take-over`.
        plan_file: the file that the permission is of.
    """

    yes: bool = False
    permission: Permission | None = None
    new_ledger: bool = False
    take_over: bool = False
    plan_file: str = "plan.json"


@dataclass(frozen=True, slots=True)
class Voice:
    """How a run talks.

    Attributes:
        tell: is given a note for people.
        watch: is given everything that happens.
        ask: asks a person and returns the answer; None if no person is there.
        last_words: is given the exit code when a second signal ends the process at once.
    """

    tell: Callable[[str], None]
    watch: Callable[[Note], None]
    ask: Callable[[str], bool] | None = None
    last_words: Callable[[ExitCode], None] = lambda code: None


def agree(plan: Plan, ledger: OpenLedger, terms: Terms, voice: Voice) -> Permission | None:
    """See that what the plan buys may be bought.

    Returns:
        What is permitted beyond the plan's own creates; None: all that the pipeline allows.

    Raises:
        ConsentRequired: it wasn't allowed, or a plan file doesn't list it.
        EnvironmentFault: a ledger is required and there is none.
        LedgerRefused: the list was renamed and its ledger wasn't.
    """
    creates = plan.creates
    if not creates:
        return _agree_to_retries(plan, ledger, terms, voice)
    _need_ledger(plan.bought_shots, ledger, terms, voice)
    if terms.permission is not None:
        again = ledger.project.choices.command("plan", "-o", terms.plan_file, selecting=True)
        _check_where(ledger, terms.permission, again)
        _check_permission(creates, terms.permission, again)
    project = ledger.project
    cap, cost = project.cap, plan.cost_usd
    allowed = terms.permission is not None or project.choices.simulate or terms.yes
    if allowed or (cap is not None and (cap >= cost or voice.ask is None)):
        for sentence in elsewhere_words(plan):  # no question says it, so it is said before the first create
            voice.tell(f"warning: {sentence}")
        _warn(plan, ledger, voice)
    else:
        _warn(plan, ledger, voice)
        _ask(_question(plan, cap), voice)
    return terms.permission


def _warn(plan: Plan, ledger: OpenLedger, voice: Voice) -> None:
    """Say what picks keep from being bought and, of what isn't rehearsed, what is over."""
    for sentence in picks_words(plan):
        voice.tell(sentence)
    if not ledger.project.choices.simulate:
        for sentence in retired_words(plan, ledger.project.pipeline.overrides.model):
            voice.tell(f"warning: {sentence}")


def _ask(question: str, voice: Voice) -> None:
    if voice.ask is None:
        raise ConsentRequired(
            f"{question.removesuffix('?')}: nobody is here to agree, and nothing was sent",
            hint="add --yes, or a cap: --max-cost, max_cost_usd in the pipeline or budget_usd in the list",
        )
    if not voice.ask(question):
        raise ConsentRequired("not agreed: nothing was sent")


def _agree_to_retries(plan: Plan, ledger: OpenLedger, terms: Terms, voice: Voice) -> Permission | None:
    """Nothing is bought at once, but a take that is carried on may fail: a further attempt needs a yes."""
    project = ledger.project
    allowed = project.choices.simulate or terms.yes or project.cap is not None
    if not plan.worst_usd or terms.permission is not None or allowed:
        return terms.permission
    voice.tell("what fails isn't tried again in this run: add --yes or a cap to allow it")
    return Permission()


def _need_ledger(shots: int, ledger: OpenLedger, terms: Terms, voice: Voice) -> None:
    project, head = ledger.project, ledger.head
    if project.choices.simulate:
        return
    lack, hint = _what_lacks(ledger)
    if lack is not None and not terms.new_ledger:
        if project.pipeline.provider.require_ledger:
            raise EnvironmentFault(
                f"{lack}, and this pipeline requires a ledger: {counted(shots, 'shot')} would be bought",
                hint=f"{hint}, or say that it is right so: add --new-ledger",
            )
        if head.is_new:
            owner.refuse_if_renamed(project.places)
    if lack is not None or ledger.is_empty:
        said = "no ledger here" if head.is_new else lack or "the ledger here knows of no shot"
        voice.tell(f"{said}: {counted(shots, 'shot')} will be bought")
    _warn_of_git(ledger, voice)


def _warn_of_git(ledger: OpenLedger, voice: Voice) -> None:
    if (rule := safekeeping.hidden_by(ledger.project.places)) is not None:
        voice.tell(f"git ignores {ledger.where} ({rule}): a clone won't know what was bought, and would buy it again")


def _what_lacks(ledger: OpenLedger) -> tuple[str | None, str]:
    """What of a ledger isn't here, and how it is brought back."""
    head, places, where = ledger.head, ledger.project.places, ledger.where
    if head.is_new:
        return f"no ledger in {where}", f"bring it back: {moves.git_checkout(places, where)}"
    if head.is_lost:
        path = f"{where}/ledger.json"
        return f"{path}, which counts what was made, isn't here", f"bring it back: {moves.git_checkout(places, path)}"
    if head.attempts is None and ledger.is_empty:
        return f"the ledger here knows of no shot: {where} has no state files", f"bring {where}/state back"
    return None, ""


def _check_where(ledger: OpenLedger, permission: Permission, again: str) -> None:
    """See that a plan file was agreed on for a run by this ledger; it may always be rehearsed."""
    other = permission.is_about_another(ledger.head.id)
    if other is not None and not ledger.project.choices.simulate:
        raise ConsentRequired(f"the plan file is about {other}; nothing was sent", hint=f"make a new plan: {again}")


def _check_permission(creates: list[Item], permission: Permission, again: str) -> None:
    missing = [lack for item in creates if (lack := permission.lacks(item)) is not None]
    if missing:
        shown = "\n".join(f"  {line}" for line in missing[:20])
        more = f"\n  … and {counted(len(missing) - 20, 'more create', 'more creates')}" if len(missing) > 20 else ""
        raise ConsentRequired(
            f"the plan file doesn't allow {counted(len(missing), 'create')} that the list wants now; "
            f"nothing was sent\n{shown}{more}",
            hint=f"make a new plan: {again}",
        )


def _question(plan: Plan, cap: Decimal | None) -> str:
    creates = plan.creates
    again = "\n".join(line for line in (bought_words(plan), *causes_words(plan), *elsewhere_words(plan)) if line)
    limit = f" (no more than {dollars_left(cap)} of it: the cap)" if cap is not None else ""
    worst = f", at worst {dollars_to_come(plan.worst_usd)}" if plan.worst_usd != plan.cost_usd else ""
    sentence = f"Buy {counted(len(creates), 'video')} for {dollars_to_come(plan.cost_usd)}{worst}{limit}"
    return f"{again}\n{sentence}?" if again else f"{sentence}?"
