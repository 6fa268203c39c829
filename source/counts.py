"""Count what is said in numbers about the lessons, and write it where it is said.

``python source/counts.py`` (which `make course` runs first) writes

- minutes: into the title lines and tables of the lessons and exercises, into README.md and
  docs/teaching.md;
- the questions to guess, lesson by lesson, into normlab/exercises/guesses.toml, where the learner's
  progress finds how many there are.

Where nothing but such a number changes, the made notebooks get it, too, and are not run again.

The rule of the minutes, for lesson, self-test and exercise apart, each rounded to five:

- 150 words a minute, without code, formulas, alt texts and what is under "Go further";
- 5 lines of code a minute that are there to be read, without comments;
- 2 minutes for each line that the learner writes: of the folded way in a lesson, of the solution in
  an exercise, as far as it stands nowhere else in the notebook;
- 1 minute for each question: a guess, a pause, a "try it", a question of the self-test.
"""
