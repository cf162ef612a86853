"""Who may do what: one-time tokens that become cookies, and roles."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Literal, get_args

Role = Literal["viewer", "operator", "admin"]
"""``viewer`` reads; ``operator`` also starts, retries and cancels runs; ``admin`` also rolls back, accepts, invites."""

ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who makes a request; ``name`` tells sessions apart in the record of actions and is no secret."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether this role is enough.

        >>> Visitor("local", "operator").may("viewer"), Visitor("local", "operator").may("admin")
        (True, False)
        """
        return ROLES.index(self.role) >= ROLES.index(role)


LOCAL = Visitor("local", "admin")
"""Whoever can open a connection from this machine, when the server listens on it alone."""


@dataclass(slots=True)
class Sessions:
    """Tokens that were given out and not used yet, and the sessions that came of them; both live with the server.

    >>> sessions = Sessions()
    >>> token = sessions.invite("viewer")
    >>> session = sessions.redeem(token)
    >>> sessions.visitor(session).role, sessions.redeem(token)
    ('viewer', None)
    """

    _invited: dict[str, Role] = field(default_factory=dict[str, Role])
    _visitors: dict[str, Visitor] = field(default_factory=dict[str, Visitor])

    def invite(self, role: Role) -> str:
        """A token that can be used once."""
        token = secrets.token_urlsafe(32)
        self._invited[token] = role
        return token

    def redeem(self, token: str) -> str | None:
        """The secret of a new session; None for a token that there is not (any more)."""
        found = next((each for each in self._invited if _equal(each, token)), None)
        if found is None:
            return None
        role = self._invited.pop(found)
        session = secrets.token_urlsafe(32)
        self._visitors[session] = Visitor(f"{role}-{len(self._visitors) + 1}", role)
        return session

    def visitor(self, session: str | None) -> Visitor | None:
        """Whose session that is."""
        if session is None:
            return None
        return next((who for each, who in self._visitors.items() if _equal(each, session)), None)


def _equal(secret: str, given: str) -> bool:
    """In a time that tells nothing of where they differ; what is given may be any text."""
    return secrets.compare_digest(secret.encode(), given.encode("utf-8", "surrogatepass"))
