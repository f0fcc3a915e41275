"""The conformance table, where the tests look for it; it is wslab's own, since learners run it."""

from wslab.exercises.conformance import (
    ANSWERS,
    LIMITS,
    MASK,
    OFFERS,
    ROWS,
    Answer,
    Case,
    Offer,
    complaints,
)

__all__ = ["ANSWERS", "LIMITS", "MASK", "OFFERS", "ROWS", "Answer", "Case", "Offer", "complaints"]
