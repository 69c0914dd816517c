"""What a model said, as the output of its agent, or what is wrong with it."""

from __future__ import annotations

from activities.answers.reading import Read, Unreadable, ask_again, fitted, read
from activities.failing import Failing
from activities.models.protocol import Heard
from manifests.contracts import ANSWER
from manifests.plan import AgentSpec


class OutOfContract(Failing):
    """A whole answer that does not fit: what was `said`, and what to tell the model about it."""

    def __init__(self, error: Unreadable, agent: AgentSpec, heard: Heard) -> None:
        super().__init__(error.category, error.message, usage=heard.usage)
        self.said = heard.text
        self.again = ask_again(error, agent.output)


def fitting(agent: AgentSpec, heard: Heard) -> Read:
    """The answer as its schema has it, plain text if it has none; raises `Failing` with what was used all the same.

    Half an answer is none, however well it reads.
    """
    is_cut = heard.finish == "length"
    if not heard.json and agent.output == ANSWER:
        if is_cut:
            raise _cut(agent, heard)
        return Read({"text": heard.text}, "strict")
    try:
        found = fitted(heard.json[0], agent.output) if heard.json else read(heard.text, agent.output)
    except Unreadable as error:
        raise (_cut(agent, heard) if is_cut else OutOfContract(error, agent, heard)) from None
    if is_cut and found.rung != "strict":
        raise _cut(agent, heard)
    return found


def _cut(agent: AgentSpec, heard: Heard) -> Failing:
    said = f"{heard.model} was cut off at {heard.usage.tokens_out:,} tokens: a max_output above {agent.max_output:,}"
    return Failing("context", f"{said} gives it more room", usage=heard.usage, is_cut=True)
