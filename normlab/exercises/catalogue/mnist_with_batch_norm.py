"""Lesson 5: the article's network, a training loop with both modes, and an accuracy to reach.

The scripts and programs are in `mnist_with_batch_norm_programs`, which imports torch, and is itself
imported when the first of these tasks is checked.
"""

import functools
from dataclasses import replace

import numpy as np

from normlab.exercises.cases import distinct_values
from normlab.exercises.catalogue.torch_exercises import torch_exercise
from normlab.exercises.exercise import Arguments, Aspect, Case, Mistake, Outputs

_task = functools.partial(torch_exercise, "05", f"{__name__}_programs")

_RUN = "Make it run"
_LOOP = "The loop, whole"
_EVAL = "Leave out eval(), on purpose"
_AGAIN = "Look again before you believe it"


def _seed(rng: np.random.Generator) -> int:
    """Draw the seed of a network's numbers."""
    return int(rng.integers(1, 10_000))


def _own(own: Outputs, _arguments: Arguments) -> Outputs:
    return own


# ---- 1: the network


def _draw_network(rng: np.random.Generator) -> list[Case]:
    arguments = {"x": rng.random((3, 5, 784)), "seed": _seed(rng)}
    keys = ("linear", "norms", "train", "eval", "running", "images")
    return [Case("three batches (5, 784)", keys, arguments)]


_AS_PRINTED = "linear, norm, relu"

NETWORK = _task(
    "MyNetwork",
    "my_network",
    (),
    ("x", "seed"),
    ("linear_sizes", "norm_sizes", "trained", "tested", "running_statistics", "takes_images"),
    ("linear_sizes", "norm_sizes", "trained", "tested", "running_statistics", "answer_to_images"),
    title="build the article's network",
    aspects=(
        Aspect("linear", "three linear layers and their sizes", 2, ("linear_sizes",)),
        Aspect("norms", "two BatchNorm layers and their sizes", 2, ("norm_sizes",)),
        Aspect("train", "output in training mode", 2, ("trained",)),
        Aspect("eval", "output in evaluation mode", 2, ("tested",)),
        Aspect("running", "what the norms remember", 1, ("running_statistics",)),
        Aspect("images", "takes images as well", 1, ("takes_images",)),
    ),
    draw=_draw_network,
    mistakes=(
        Mistake(
            key="norm after relu",
            what="BatchNorm stands behind the ReLU.",
            outside="all layers are there, and the ReLU cuts what nobody has centred.",
            hint="write down the three steps behind `fc1` in the order of the article's forward.",
            mend="the order of the steps",
            aspect="train",
            changes={"order": "linear, relu, norm"},
            section=_RUN,
        ),
        Mistake(
            key="norm before linear",
            what="BatchNorm stands before each linear layer.",
            outside="the first norm has 784 channels, one for each pixel.",
            hint="how many channels do your norms have, and how many would one behind `fc1` have?",
            mend="the place of the norms",
            aspect="norms",
            changes={"order": "norm, linear, relu"},
            section=_RUN,
        ),
        Mistake(
            key="no relu",
            what="there is no ReLU.",
            outside="in evaluation mode the network is one linear function, however many layers.",
            hint="what comes between two linear layers so that they are more than one?",
            mend="the nonlinearity",
            aspect="train",
            changes={"relu": False, "order": _AS_PRINTED},
            section=_RUN,
        ),
        Mistake(
            key="relu on the logits",
            what="the logits go through a ReLU.",
            outside="no logit is negative, and half of all gradients stop at once.",
            hint="what range should a logit have? Print the smallest of yours.",
            mend="the end of forward",
            aspect="train",
            changes={"logits": "relu"},
            section=_RUN,
        ),
        Mistake(
            key="softmax on the logits",
            what="the logits go through a softmax.",
            outside="it trains, slowly: cross_entropy takes the softmax a second time.",
            hint="add up the outputs of a row. What does cross_entropy expect?",
            mend="the end of forward",
            aspect="train",
            changes={"logits": "softmax"},
            section=_RUN,
        ),
        Mistake(
            key="logits normalized",
            what="there is a third BatchNorm, behind the last layer.",
            outside="every class gets the same share of the batch, whatever is in it.",
            hint="count the norms in the article's network.",
            mend="the last layer",
            aspect="norms",
            changes={"logits": "normalized"},
            section=_RUN,
        ),
        Mistake(
            key="second norm missing",
            what="only the first of the two BatchNorm layers is used.",
            outside="it trains; the second linear layer's output is not normalized.",
            hint="count the norms in the article's network.",
            mend="the second norm",
            aspect="norms",
            changes={"norms": "first"},
            section=_RUN,
        ),
        Mistake(
            key="no norm",
            what="there is no BatchNorm.",
            outside="training and evaluation mode give the same.",
            hint="what is this lesson about?",
            mend="the norms",
            aspect="norms",
            changes={"norms": "none", "order": _AS_PRINTED},
            section=_RUN,
        ),
        Mistake(
            key="LayerNorm taken",
            what="the norms are LayerNorms.",
            outside="training and evaluation mode give the same, and nothing is remembered.",
            hint="print list(network.buffers()). Which norm has buffers?",
            mend="the norms",
            aspect="norms",
            changes={"norms": "layer"},
            section=_RUN,
        ),
        Mistake(
            key="norms unseen",
            what="the BatchNorm layers are in a Python list, or are made anew in each forward: "
            "the network does not know them.",
            outside="the optimizer does not train them, and eval() does not reach them.",
            hint="print your network. Do you see the norms? Where does a module look for its "
            "layers?",
            mend="where the norms are kept",
            aspect="norms",
            changes={"norms": "unseen"},
            section=_RUN,
        ),
        Mistake(
            key="not flattened",
            what="images go into the first linear layer as they are.",
            outside="vectors work; images raise an error about shapes.",
            hint="the first linear layer wants 784 numbers on the last axis. How many are there?",
            mend="the beginning of forward",
            aspect="images",
            changes={"flattens": False},
            section=_RUN,
        ),
    ),
    first_step="make the five layers in `__init__`, then use them in `forward`, one line each.",
)


# ---- 2: the loop


def _draw_loop(rng: np.random.Generator) -> list[Case]:
    numbers = {
        "x": distinct_values(rng, (2, 6, 3)) / 20,
        "y": rng.permutation(np.resize(np.arange(3), 12)).reshape(2, 6),
        "test_x": distinct_values(rng, (8, 3)) / 20,
        "test_y": rng.permutation(np.resize(np.arange(3), 8)),
    }
    seed = _seed(rng)

    def case(name: str, aspect: str, test_batch: int, epochs: int, given: str, **more: str) -> Case:
        settings = {"test_batch": test_batch, "epochs": epochs, "given": given, "seed": seed}
        return Case(name, tuple(aspect.split()), {**numbers, **settings}, **more)

    two = "two epochs"
    return [
        case("one epoch", "train", 8, 1, "train"),
        case(two, "losses buffers end", 8, 2, "train"),
        replace(
            case("two epochs, test batches of 3", "batches", 3, 2, "train"),
            based_on=two,
            derive=_own,
        ),
        case("a network in evaluation mode, two epochs", "given", 8, 2, "eval"),
    ]


LOOP = _task(
    "train_and_measure",
    "train_and_measure",
    ("network", "optimizer", "train_batches", "test_batches", "epochs"),
    ("x", "y", "test_x", "test_y", "test_batch", "epochs", "given", "seed"),
    ("losses", "weights", "buffers", "modes"),
    ("losses", "weights", "buffers", "modes", "asked_again"),
    title="mend a training loop",
    aspects=(
        Aspect("train", "one epoch of training", 1, ("weights",)),
        Aspect("losses", "the test losses", 3, ("losses",)),
        Aspect("buffers", "measuring leaves the buffers alone", 2, ("buffers",)),
        Aspect("batches", "the same loss for every test batch size", 2, ("losses",)),
        Aspect("given", "trains in training mode from the first step", 1, ("weights",)),
        Aspect("end", "training mode afterwards", 1, ("modes",)),
    ),
    draw=_draw_loop,
    mistakes=(
        Mistake(
            key="neither train nor eval",
            what="the network stays in the mode in which it was given.",
            outside="the test loss depends on the size of the test batches, and every test moves "
            "what the network remembers.",
            hint="does an answer depend on who else is in the queue? Count where your loop says "
            "in which mode the network is to be.",
            mend="the modes",
            aspect="losses",
            changes={
                "trains": "never",
                "tests": "as it is",
                "end": "as it is",
            },
            section=_EVAL,
        ),
        Mistake(
            key="eval forgotten",
            what="the network is measured in training mode.",
            outside="the test loss depends on the size of the test batches, and every test moves "
            "what the network remembers; no_grad does not help.",
            hint="recording gradients and using batch statistics: two switches, two meanings.",
            mend="the mode of the measurement",
            aspect="losses",
            changes={
                "tests": "as it is",
                "trains": "each epoch",
                "end": "in training mode",
            },
            section=_EVAL,
        ),
        Mistake(
            key="train once",
            what="train() is called before the first epoch, and not again after a test.",
            outside="from the second epoch on, the running statistics stand still.",
            hint="print `training` at the beginning of each epoch.",
            mend="the mode of training",
            aspect="losses",
            changes={"trains": "once"},
            section=_LOOP,
        ),
        Mistake(
            key="train never",
            what="train() is never called before training.",
            outside="after the first test, the network is trained in evaluation mode.",
            hint="print `training` at the beginning of each epoch.",
            mend="the mode of training",
            aspect="losses",
            changes={"trains": "never"},
            section=_LOOP,
        ),
        Mistake(
            key="left in evaluation mode",
            what="the network is in evaluation mode afterwards.",
            outside="whoever goes on training trains with statistics that stand still.",
            hint="which call of train() or eval() is the last?",
            mend="the mode afterwards",
            aspect="end",
            changes={"end": "as it is"},
            section=_LOOP,
        ),
        Mistake(
            key="mean of the batches' means",
            what="the means of the test batches are averaged, the small last batch like a full "
            "one.",
            outside="the loss changes a little with the size of the test batches.",
            hint="eight samples in batches of 3: how much does each of the last two count?",
            mend="the average",
            aspect="batches",
            changes={"average": "of batches"},
            section=_LOOP,
        ),
    ),
    first_step="copy the loop from above, and write beside each line in which mode the network is.",
)


# ---- 3: an accuracy to reach


def _draw_epoch(rng: np.random.Generator) -> list[Case]:
    keys = ("reached", "batches", "passes", "mode", "moved")
    arguments = {"images": 20_000, "seed": _seed(rng)}
    return [Case("20,000 images of MNIST", keys, arguments)]


_ANSWERS = ("goal_reached", "batches_of_64", "passes", "training_mode", "weights_moved")


def _what_was_done(images: int, seed: int, **otherwise: float) -> Outputs:
    """Answer the script's questions: 1 each, where nothing was done otherwise."""
    return {name: np.array(otherwise.get(name, 1.0)) for name in _ANSWERS}


# Training takes a second, and its digits depend on the processor. What is judged is what was done
# and whether the goal was reached, so the reference needs no training.
EPOCH = replace(
    _task(
        "train_one_epoch",
        "train_one_epoch",
        ("network", "inputs", "labels"),
        ("images", "seed"),
        _ANSWERS,
        ("before", "weights", "buffers", "batch_sizes", "step_modes"),
        title="reach 93 % in one epoch",
        aspects=(
            Aspect("reached", "93 % of the test images right", 5, ("goal_reached",)),
            Aspect("batches", "batches of 64", 2, ("batches_of_64",)),
            Aspect("passes", "one epoch, no more and no less", 1, ("passes",)),
            Aspect("mode", "every step in training mode", 1, ("training_mode",)),
            Aspect("moved", "the weights move", 1, ("weights_moved",)),
        ),
        draw=_draw_epoch,
        mistakes=(
            Mistake(
                key="goal missed",
                what="all is done as asked, and fewer than 93 % are right in the end.",
                outside="the loss is still falling when the epoch is over, or it jumps.",
                hint="the article's learning rate gets to about 91 %. BatchNorm bears larger "
                "steps: who says that you have to take small ones? If yours are large: are the "
                "images drawn in random order, and the gradients set to zero before each step?",
                mend="the learning rate, or the optimizer",
                aspect="reached",
                changes={"goal_reached": 0.0},
                section=_AGAIN,
            ),
            Mistake(
                key="no step",
                what="no weight is ever changed.",
                outside="the loss stays where it was, about 2.3.",
                hint="three calls make a step of training. Which of them changes the weights?",
                mend="the step",
                aspect="moved",
                changes={"goal_reached": 0.0, "weights_moved": 0.0},
                section=_LOOP,
            ),
            Mistake(
                key="other batches",
                what="the batches have another size than 64.",
                outside="the number of steps in an epoch is not 313.",
                hint="print the shape of what you give the network. Only the last batch may be "
                "smaller.",
                mend="the batch size",
                aspect="batches",
                changes={"batches_of_64": 0.0},
                section=_LOOP,
            ),
            Mistake(
                key="more than one epoch",
                what="the network sees more images than there are.",
                outside="it takes longer, and the comparison with other networks is not fair.",
                hint="count the images that go into the network, batch by batch.",
                mend="the number of epochs",
                aspect="passes",
                changes={"passes": 2.0},
                section=_LOOP,
            ),
            Mistake(
                key="less than one epoch",
                what="the network does not see every image.",
                outside="training ends early.",
                hint="count the images that go into the network, batch by batch.",
                mend="the number of batches",
                aspect="passes",
                changes={"passes": 0.0},
                section=_LOOP,
            ),
            Mistake(
                key="trained in evaluation mode",
                what="the network is in evaluation mode in some steps.",
                outside="nothing is remembered, and BatchNorm does nothing that a linear layer "
                "could not.",
                hint="print `training` before the first step.",
                mend="the mode",
                aspect="mode",
                changes={"training_mode": 0.0},
                section=_LOOP,
            ),
        ),
        first_step="begin with an optimizer for the network's parameters, then the loop of task 2.",
    ),
    reference=_what_was_done,
    recipe=_what_was_done,
    seconds=120.0,
)

EXERCISES = (NETWORK, LOOP, EPOCH)
