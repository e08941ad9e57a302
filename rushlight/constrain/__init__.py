"""Constraints: answers that match a JSON schema, a regular expression or a grammar, whoever writes them.

A constraint becomes a grammar (`rushlight.constrain.answer_grammar`), the library llguidance compiles it for
the tokens of the model (`ConstraintCompiler`), and a `Matcher` says which tokens may come next in one answer.
That depends on the text so far alone, not on how it was cut into tokens.
"""

from rushlight.constrain.compiler import ConstraintCompiler
from rushlight.constrain.constraint import Constraint, constraint_of
from rushlight.constrain.matcher import Matcher

__all__ = ["Constraint", "ConstraintCompiler", "Matcher", "constraint_of"]
