"""Who may do what, decided by Rego policies: here, or by an Open Policy Agent."""

from .policy import Policy, make_policy
from .question import Question

__all__ = ["Policy", "Question", "make_policy"]
