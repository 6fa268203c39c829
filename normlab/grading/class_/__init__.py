"""Many submissions: the work of a class, over a term.

``submissions``, ``recognition``
    Find what was handed in, and tell whose it is and of which exercise.
``pool``
    Grade it on all cores, or on a cluster.
``gradebook``
    Every verdict, each kept in one transaction.
``points``, ``remarks``, ``roster``
    What the teacher rules: weights, due dates, late work, a word by hand; and who is in the class.
``reports``, ``exports``
    The pages for the teacher and for each student, and one file for each system.
``release``, ``gradescope``, ``demo``
    What students get; Gradescope's autograder; a made class to try all of it with.
"""

import click


class ClassError(click.ClickException):
    """What stops the work on a class, in a sentence that the command line tells as it is."""
