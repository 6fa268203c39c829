"""Where a submission's code runs: one isolation, and one sandbox for each submission.

``isolation``
    What works on this machine, tried out; and the sites where submissions run.
``processes``
    Start a submission's process, talk to it, end it.
``wire``
    How what is said is written: plain data and arrays, and nothing that could run.
``reading``
    The cells of a notebook file, and its tasks' places in it. It is read in there, too.
``view``, ``leftovers``
    The folder of what can be imported there, and how such folders go.
``limits``
    How much of everything there is.
``sandbox``
    All that runs beside the learner's code.

Nothing here knows an answer, or what one is worth.
"""
