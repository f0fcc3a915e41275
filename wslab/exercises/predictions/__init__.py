"""A prediction asks a question before a cell; the answer and the reasons come after it.

    from wslab import predict

    predict("00.bytes")          the cell before the one that shows the answer

The questions of a lesson are in one readable file beside this one, `NN_topic.toml`.
"""

from wslab.exercises.predictions.prediction import Prediction, predict
from wslab.exercises.predictions.question import Choice, Question, questions

__all__ = ["Choice", "Prediction", "Question", "predict", "questions"]
