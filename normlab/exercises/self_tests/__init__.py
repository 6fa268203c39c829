"""Five questions at the end of each lesson, with an explanation for every answer.

``all_self_tests()``
    The questions of every lesson, by the lesson's name. `normlab.exercises.self_test` asks them.
"""

from normlab.exercises.self_tests.questions import Answer, Question, all_self_tests

__all__ = ["Answer", "Question", "all_self_tests"]
