"""Lesson 13: six short torch programs, each with one defect.

The learner mends a program that is printed in the notebook. What is checked is what the program
does: a case holds plain arrays, a script makes networks of them, and plain arrays come back. The
scripts, the mended programs and their exchangeable steps are in `choose_and_debug_programs`, which
imports torch, and is itself imported when the first of these tasks is checked.
"""

import functools

import numpy as np

from normlab.exercises.cases import distinct_values, shape_name
from normlab.exercises.catalogue.torch_exercises import torch_exercise
from normlab.exercises.exercise import Aspect, Case, Mistake

_bug_hunt = functools.partial(torch_exercise, "13", f"{__name__}_programs")


def _seed(rng: np.random.Generator) -> int:
    """Draw the seed of a network's numbers."""
    return int(rng.integers(1, 10_000))


def _rows(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draw numbers between -2 and 2, no two of them equal."""
    return distinct_values(rng, shape) / np.prod(shape)


# ---- 1: frozen


def _draw_fine_tune(rng: np.random.Generator) -> list[Case]:
    keys = ("buffers", "weights", "counter", "head", "losses")
    cases = []
    for batches, samples, features, epochs in ((2, 4, 3, 1), (2, 5, 2, 2)):
        arguments = {
            "x": _rows(rng, batches, samples, features),
            "y": _rows(rng, batches, samples, 1),
            "validation_x": _rows(rng, 6, features),
            "validation_y": _rows(rng, 6, 1),
            "epochs": epochs,
            "seed": _seed(rng),
        }
        name = f"{batches} batches {shape_name((samples, features))}, epochs {epochs}"
        cases.append(Case(name, keys, arguments))
    return cases


_FREEZE = "Frozen, and still moving"

FINE_TUNE = _bug_hunt(
    "fine_tune",
    "fine_tune",
    ("body", "head", "batches", "validation", "epochs", "lr"),
    ("x", "y", "validation_x", "validation_y", "epochs", "seed"),
    ("body_buffers", "body_weights", "head_counter", "head_numbers", "losses"),
    title="freeze a body, and mean it",
    aspects=(
        Aspect("buffers", "the body's running statistics stay", 5, ("body_buffers",)),
        Aspect("weights", "the body's weights stay", 1, ("body_weights",)),
        Aspect("counter", "the head's own BatchNorm goes on counting", 1, ("head_counter",)),
        Aspect("head", "what the head has learned", 2, ("head_numbers",)),
        Aspect("losses", "the validation losses", 1, ("losses",)),
    ),
    draw=_draw_fine_tune,
    mistakes=(
        Mistake(
            key="frozen by requires_grad only",
            what="the body's parameters are frozen, and the body is in training mode.",
            outside="the body's running statistics drift with every batch, and its answers with "
            "them, though no optimizer ever touched it.",
            hint="who writes the buffers? And if you did call a method against it: which call "
            "came last?",
            mend="the body's mode",
            aspect="buffers",
            changes={"body_trains": "always"},
            section=_FREEZE,
        ),
        Mistake(
            key="frozen for one epoch",
            what="the body is in evaluation mode in the first epoch, and in training mode in all "
            "later ones.",
            outside="the body keeps still for an epoch, and drifts from the first validation on.",
            hint="print whether the body is in training mode, at the beginning of each epoch.",
            mend="the body's mode after a validation",
            aspect="buffers",
            changes={"body_trains": "later"},
            section=_FREEZE,
        ),
        Mistake(
            key="head frozen too",
            what="the head is in evaluation mode while it is trained.",
            outside="the head's running statistics never move: they are those of the task before.",
            hint="which of the two parts was to be frozen? Compare the counters of batches.",
            mend="the head's mode",
            aspect="counter",
            changes={"head_trains": "never"},
            section=_FREEZE,
        ),
        Mistake(
            key="head left in evaluation mode",
            what="the head is in training mode in the first epoch only.",
            outside="after the first validation the head's running statistics stand still.",
            hint="a validation puts the head into evaluation mode. Who brings it back?",
            mend="the head's mode after a validation",
            aspect="counter",
            changes={"head_trains": "first"},
            section=_FREEZE,
        ),
        Mistake(
            key="body's weights trained",
            what="the optimizer moves the body's weights, too.",
            outside="the running statistics stay, and the weights before them do not.",
            hint="two things can move in a body. Which switch belongs to which?",
            mend="what the optimizer is given",
            aspect="weights",
            changes={"learns": "all"},
            section=_FREEZE,
        ),
    ),
    first_step="copy the program from above, run its demonstration, and find out which numbers "
    "of the body move.",
)


# ---- 2: tested in training mode


def _draw_predict(rng: np.random.Generator) -> list[Case]:
    x, seed = _rows(rng, 7, 3), _seed(rng)

    def case(name: str, batch_size: int, given: str, *aspects: str) -> Case:
        arguments = {"x": x, "batch_size": batch_size, "given": given, "seed": seed}
        return Case(f"(7, 3), {name}", aspects, arguments)

    return [
        case("one batch", 7, "train", "values", "buffers", "modes", "graph"),
        case("batches of 4", 4, "train", "values"),
        case("batches of 3, one row left over", 3, "train", "values"),
        case("network in evaluation mode", 4, "eval", "modes"),
        case("one layer in evaluation mode", 4, "part", "parts"),
    ]


_TEST = "Two switches, two meanings"

PREDICT = _bug_hunt(
    "predict",
    "predict",
    ("network", "x", "batch_size"),
    ("x", "batch_size", "given", "seed"),
    ("scores", "buffers", "modes", "no_gradient"),
    ("scores", "buffers", "modes", "no_gradient", "weights", "asked_again"),
    title="ask a network, and leave it as it was",
    aspects=(
        Aspect("values", "the same scores for every batch size", 5, ("scores",)),
        Aspect("buffers", "the network remembers nothing of it", 2, ("buffers",)),
        Aspect("modes", "the network's mode afterwards", 1, ("modes",)),
        Aspect("parts", "the mode of each layer afterwards", 1, ("modes",)),
        Aspect("graph", "no gradients are recorded", 1, ("no_gradient",)),
    ),
    draw=_draw_predict,
    mistakes=(
        Mistake(
            key="no_grad taken for eval",
            what="the network is asked in the mode in which it is, training mode included.",
            outside="a row's scores depend on the rows beside it, one row alone is refused, and "
            "asking changes the network.",
            hint="does an answer depend on who else is in the queue? Recording gradients and "
            "using batch statistics: two switches, two meanings.",
            mend="the mode in which the network is asked",
            aspect="values",
            changes={"switches": False},
            section=_TEST,
        ),
        Mistake(
            key="left in evaluation mode",
            what="the network is in evaluation mode afterwards, whatever it was before.",
            outside="whoever goes on training trains with running statistics that stand still.",
            hint="print `training` before and after the call.",
            mend="the mode afterwards",
            aspect="modes",
            changes={"afterwards": "eval"},
            section=_TEST,
        ),
        Mistake(
            key="left in training mode",
            what="the network is in training mode afterwards, whatever it was before.",
            outside="a network that was ready for use is not any more.",
            hint="give it a network in evaluation mode. Print `training` before and after.",
            mend="the mode afterwards",
            aspect="modes",
            changes={"afterwards": "train"},
            section=_TEST,
        ),
        Mistake(
            key="a frozen layer thawed",
            what="all layers are given the mode of the whole network afterwards.",
            outside="a layer that was kept in evaluation mode on purpose begins to move.",
            hint="can a layer be in another mode than the network around it? Which of them do "
            "you remember?",
            mend="the mode of the layers afterwards",
            aspect="parts",
            changes={"afterwards": "as the whole"},
            section=_TEST,
        ),
        Mistake(
            key="eval taken for no_grad",
            what="gradients are recorded.",
            outside="the scores are right, and hold the memory of every step that led to them.",
            hint="print `requires_grad` of what you return.",
            mend="the recording",
            aspect="graph",
            changes={"graph": True},
            section=_TEST,
        ),
    ),
    first_step="copy the program from above, and ask it for the same row alone and among others.",
)


# ---- 3: copied without buffers


def _draw_update_teacher(rng: np.random.Generator) -> list[Case]:
    keys = ("parameters", "running", "counter", "apart")
    cases = []
    for batches, samples, features in ((2, 4, 3), (4, 5, 2)):
        arguments = {
            "x": _rows(rng, batches, samples, features),
            "decay": float(rng.choice([0.6, 0.7, 0.8])),
            "seed": _seed(rng),
        }
        updates = "one update" if batches == 2 else f"{batches - 1} updates"
        name = f"batches {shape_name((samples, features))}, {updates}"
        cases.append(Case(name, keys, arguments))
    return cases


_COPY = "What parameters() does not list"

UPDATE_TEACHER = _bug_hunt(
    "update_teacher",
    "update_teacher",
    ("teacher", "student", "decay"),
    ("x", "decay", "seed"),
    ("parameters", "running_statistics", "counter", "own_memory"),
    ("parameters", "running_statistics", "counter", "before", "after"),
    title="let a teacher follow a student",
    aspects=(
        Aspect("parameters", "the teacher's parameters", 2, ("parameters",)),
        Aspect("running", "the teacher's running statistics", 6, ("running_statistics",)),
        Aspect("counter", "the teacher's num_batches_tracked", 1, ("counter",)),
        Aspect("apart", "teacher and student share no memory", 1, ("own_memory",)),
    ),
    draw=_draw_update_teacher,
    mistakes=(
        Mistake(
            key="buffers left behind",
            what="the teacher's buffers stay what they were.",
            outside="the teacher has learned weights, and in evaluation mode it normalizes with "
            "the statistics of its first day.",
            hint="learned by gradient, or measured? Compare the names in parameters() with those "
            "in state_dict().",
            mend="what the teacher takes over",
            aspect="running",
            changes={"statistics": "left", "counter": "left"},
            section=_COPY,
        ),
        Mistake(
            key="counter left behind",
            what="running means and variances are taken over, and num_batches_tracked is not.",
            outside="the teacher's counter tells of another number of batches than its average.",
            hint="print list(teacher.state_dict()). Is every name accounted for?",
            mend="the counter",
            aspect="counter",
            changes={"counter": "left"},
            section=_COPY,
        ),
        Mistake(
            key="buffers averaged",
            what="the running statistics are averaged with decay, too.",
            outside="the teacher's statistics lag behind twice: the student's are averages "
            "already.",
            hint="read the task again: which numbers are averaged, and which are taken over?",
            mend="the running statistics",
            aspect="running",
            changes={"statistics": "averaged"},
            section=_COPY,
        ),
        Mistake(
            key="buffers shared",
            what="the teacher has the student's own buffers, and no copies of them.",
            outside="the teacher changes whenever the student sees a batch.",
            hint="let the student see a batch after the update. Who else has moved?",
            mend="how the buffers are taken over",
            aspect="apart",
            changes={"statistics": "shared", "counter": "shared"},
            section=_COPY,
        ),
        Mistake(
            key="decay reversed",
            what="decay is the share of the student.",
            outside="the teacher runs after the student instead of averaging over its steps.",
            hint="at decay 1, should the teacher move?",
            mend="the average",
            aspect="parameters",
            changes={"average": "reversed"},
            section=_COPY,
        ),
        Mistake(
            key="parameters copied",
            what="the student's parameters are taken over as they are.",
            outside="teacher and student give the same answers, and decay changes nothing.",
            hint="call it with decay 0 and with decay 1. Should the teacher be the same?",
            mend="the average",
            aspect="parameters",
            changes={"average": "copied"},
            section=_COPY,
        ),
    ),
    first_step="copy the program from above, and compare the teacher's state_dict() before and "
    "after an update.",
)


# ---- 4: batches of two


def _draw_small_batch(rng: np.random.Generator) -> list[Case]:
    keys = ("alone", "modes", "one", "scale", "tells", "own")
    return [
        Case(
            f"{features} features, hidden {hidden}",
            keys,
            {
                "x": 1000 * _rows(rng, 2, features),
                "hidden": hidden,
                "classes": classes,
                "seed": _seed(rng),
            },
        )
        for features, hidden, classes in ((3, 8, 2), (5, 16, 4))
    ]


_TWO = "Two samples are no statistic"

SMALL_BATCH = _bug_hunt(
    "small_batch_network",
    "small_batch_network",
    ("features", "hidden", "classes"),
    ("x", "hidden", "classes", "seed"),
    ("independent", "same_in_eval", "takes_one", "scale_removed", "tells_apart", "has_own"),
    (
        "both",
        "beside_another",
        "in_evaluation",
        "alone",
        "enlarged",
        "with_other_parameters",
        "own_parameters",
    ),
    title="train with two samples at a time",
    aspects=(
        Aspect("alone", "a sample's answer is its own", 3, ("independent",)),
        Aspect("modes", "training and evaluation agree", 2, ("same_in_eval",)),
        Aspect("one", "one sample alone can be trained on", 1, ("takes_one",)),
        Aspect("scale", "the first layer's scale is taken away", 2, ("scale_removed",)),
        Aspect("tells", "two samples are told apart", 1, ("tells_apart",)),
        Aspect("own", "the norm has a weight to learn", 1, ("has_own",)),
    ),
    draw=_draw_small_batch,
    mistakes=(
        Mistake(
            key="batch of two",
            what="the batch's statistics are used in training, and other ones in evaluation.",
            outside="of two samples, BatchNorm leaves +1 and -1 in each unit, whatever they were.",
            hint="normalize 3 and 5 by their own mean and standard deviation. Now 3 and 500.",
            mend="the norm",
            aspect="alone",
            changes={"norm": "batch"},
            section=_TWO,
        ),
        Mistake(
            key="batch statistics in both modes",
            what="the batch's statistics are used in both modes.",
            outside="training and evaluation agree now, and both see no more than signs.",
            hint="which numbers share a mean here? Are there enough of them?",
            mend="the norm",
            aspect="alone",
            changes={"norm": "batch, nothing remembered"},
            section=_TWO,
        ),
        Mistake(
            key="no norm",
            what="nothing is normalized.",
            outside="if the first layer's weights grow, everything behind it grows with them.",
            hint="the batch is too small to share a mean. What else does a sample have many of?",
            mend="the norm",
            aspect="scale",
            changes={"norm": "none"},
            section=_TWO,
        ),
        Mistake(
            key="no scale of its own",
            what="each sample is normalized, and there is no weight and bias behind it.",
            outside="the network can never undo the normalization of a unit.",
            hint="print list(network.parameters()) with their shapes.",
            mend="the norm's parameters",
            aspect="own",
            changes={"norm": "no parameters"},
            section=_TWO,
        ),
        Mistake(
            key="groups of one",
            what="every unit of a sample is a group of its own.",
            outside="the network gives the same answer to everything.",
            hint="how many numbers does each mean have? What is left when it is subtracted?",
            mend="the groups",
            aspect="tells",
            changes={"norm": "groups of one"},
            section=_TWO,
        ),
    ),
    first_step="copy the program from above, and change the norm.",
)


# ---- 5: rows for columns


def _draw_sensor_net(rng: np.random.Generator) -> list[Case]:
    cases = []
    for batches, samples, features, classes in ((2, 4, 3, 2), (3, 6, 4, 3)):
        units = np.resize([1.0, 100.0, 10.0, 1000.0], features)
        offsets = rng.permutation(np.arange(1.0, features + 1)) * units
        arguments = {
            "x": _rows(rng, batches, samples, features) * units + offsets,
            "test": _rows(rng, 5, features) * units + offsets,
            "weight": _rows(rng, classes, features),
            "bias": _rows(rng, classes),
        }
        name = f"{batches} batches {shape_name((samples, features))}"
        cases.append(Case(name, ("train", "eval", "alone", "linear"), arguments))
    return cases


_ROWS = "A table is no sequence"

SENSOR_NET = _bug_hunt(
    "SensorNet",
    "sensor_net",
    ("features", "classes"),
    ("x", "test", "weight", "bias"),
    ("trained", "tested", "row_alone", "linear_weight"),
    ("trained", "tested", "alone", "linear_weight"),
    title="normalize the columns of a table",
    aspects=(
        Aspect("train", "each feature is normalized over the batch", 4, ("trained",)),
        Aspect("eval", "evaluation uses what was remembered", 3, ("tested",)),
        Aspect("alone", "one row alone gets the same answer", 2, ("row_alone",)),
        Aspect("linear", "the linear layer is kept", 1, ("linear_weight",)),
    ),
    draw=_draw_sensor_net,
    mistakes=(
        Mistake(
            key="rows normalized",
            what="each row is normalized over its features.",
            outside="the feature with the largest numbers decides alone; the others vanish in "
            "rounding. InstanceNorm1d says so only in a warning.",
            hint="which values share a mean: those of one feature, or those of one row? How does "
            "the layer read two axes: as (N, C), or as (C, L)?",
            mend="the norm",
            aspect="train",
            changes={"statistics": "rows", "evaluation": "remembered"},
            section=_ROWS,
        ),
        Mistake(
            key="nothing remembered",
            what="the batch's own statistics are used in evaluation, too.",
            outside="a row's answer depends on the rows beside it, and one row alone is refused.",
            hint="print list(network.state_dict()). Is there anything to remember with?",
            mend="evaluation",
            aspect="eval",
            changes={"evaluation": "batch"},
            section=_ROWS,
        ),
        Mistake(
            key="norm removed",
            what="nothing is normalized.",
            outside="the feature with the largest unit decides alone.",
            hint="measure one feature in millimetres instead of metres. Does the answer change?",
            mend="the norm",
            aspect="train",
            changes={"statistics": "none", "evaluation": "remembered", "place": "before"},
            section=_ROWS,
        ),
        Mistake(
            key="scores normalized",
            what="the norm stands behind the linear layer.",
            outside="the scores are normalized, and the features were added up before.",
            hint="is it the features or the classes that come in different units?",
            mend="the place of the norm",
            aspect="train",
            changes={"place": "after"},
            section=_ROWS,
        ),
    ),
    first_step="copy the program from above, and print the mean of each column of what the norm "
    "gives.",
)


# ---- 6: the test set leaks


def _draw_split(rng: np.random.Generator) -> list[Case]:
    cases = []
    for rows, features, size in ((7, 3, 5), (12, 2, 8)):
        x = distinct_values(rng, (rows, features)) + rng.integers(10, 30, features)
        shifted = x.copy()
        shifted[size:] += 100
        for values, told in ((x, ""), (shifted, ", test rows shifted by 100")):
            name = f"{shape_name(x.shape)}, size {size}{told}"
            keys = ("train", "test", "sizes")
            cases.append(Case(name, keys, {"x": values, "size": size}))
    return cases


_LEAK = "Whose mean is it?"

SPLIT = _bug_hunt(
    "split_and_standardize",
    "split_and_standardize",
    ("x", "size"),
    ("x", "size"),
    ("train", "test", "sizes"),
    title="keep the test rows out of the statistics",
    aspects=(
        Aspect("train", "the training rows", 4, ("train",)),
        Aspect("test", "the test rows", 4, ("test",)),
        Aspect("sizes", "how many rows each part has", 1, ("sizes",)),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=_draw_split,
    mistakes=(
        Mistake(
            key="statistics of the whole set",
            what="mean and standard deviation come from all rows, the test rows among them.",
            outside="the score is a little too good, and a shift between the sets hides itself.",
            hint="at deployment, where would that mean come from?",
            mend="where the statistics come from",
            aspect="train",
            changes={"fitted_on": "all"},
            section=_LEAK,
        ),
        Mistake(
            key="each set by its own",
            what="the test rows are standardized by their own statistics.",
            outside="shift all test rows by 100, and nothing changes.",
            hint="shift the test rows. Should what the network sees of them shift?",
            mend="the statistics of the test rows",
            aspect="test",
            changes={"fitted_on": "own"},
            section=_LEAK,
        ),
        Mistake(
            key="statistics of the test set",
            what="mean and standard deviation come from the test rows.",
            outside="the training set has neither mean 0 nor standard deviation 1.",
            hint="print mean and standard deviation of your training rows afterwards.",
            mend="where the statistics come from",
            aspect="train",
            changes={"fitted_on": "test"},
            section=_LEAK,
        ),
        Mistake(
            key="one number for all features",
            what="one mean and one standard deviation serve all features.",
            outside="the training set as a whole has mean 0, and none of its features has.",
            hint="one number for what? Print the shape of your mean.",
            mend="the statistics",
            aspect="train",
            changes={"over": "everything"},
            section=_LEAK,
        ),
        Mistake(
            key="divided by n",
            what="the standard deviation divides by n, and the program's by n - 1.",
            outside="everything comes out a little too large; the fewer rows, the more.",
            hint="how many values does your divisor count, and does torch's std agree?",
            mend="the standard deviation",
            aspect="train",
            changes={"less": 0},
            section=_LEAK,
        ),
    ),
    first_step="copy the program from above, shift the test rows, and see which training numbers "
    "change.",
)

EXERCISES = (FINE_TUNE, PREDICT, UPDATE_TEACHER, SMALL_BATCH, SENSOR_NET, SPLIT)
