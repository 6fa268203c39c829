"""What runs where the learner's code runs: nothing in this folder knows an answer.

``warm``
    The process that has imported NumPy, and forks a child for each submission.
``rehearsal``
    Does once what every submission will do, so that a child need not begin with it.
``child``
    Runs a notebook's cells, and calls its functions with what the grader sends.
``used_names``
    Which globals a function uses, and whether they changed.
``probe``
    What can be reached from here, for the trial.
``locks``
    What the kernel keeps a process from: namespaces, system calls, limits.
``stand_ins``
    What is there in place of matplotlib and of the rest of this package.

The files are copied to a folder of their own (`normlab.grading.prison.view`) and imported there,
beside NumPy and the standard library, and nothing else of this package than `wire` and `reading` of
`normlab.grading.prison` and what `normlab.exercises` calls functions with.
"""
