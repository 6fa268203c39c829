"""What a submission is worth: the grader, and its verdict in points and in words.

``grader``
    One submission after the other; a verdict on every task, whatever was handed in.
``run``
    One submission: its cells, the calls of its functions, and what becomes of its processes.
``attempts``
    What is known of each task on the way.
``answers``
    What came back from a process, read as numbers of a stranger.
``verdict``, ``feedback``
    The end of it, and its words.
``made_with``
    By what code: a digest, by which a verdict that was kept stands or falls.

It knows `normlab.grading.prison`, and nothing of a class.
"""
