"""Where a submission's code runs: one isolation, and one sandbox for each submission.

`isolation` says what works on this machine, `processes` talks to what runs there in the words of
`wire`, and `sandbox` holds all that runs beside the learner's code, which reads the notebook, too.
Nothing here knows an answer, or what one is worth.
"""
