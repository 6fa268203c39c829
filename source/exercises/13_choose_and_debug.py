# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Six bug hunts
#
# *Exercises for lesson 13 · six tasks · about 70 minutes · PyTorch*
#
# | task | program | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `fine_tune`: frozen, and still moving | medium | high | 15 | 10 |
# | 2 | `predict`: who else is in the queue? | medium | high | 10 | 10 |
# | 3 | `update_teacher`: the teacher that never catches up | medium | high | 15 | 10 |
# | 4 | `small_batch_network`: two samples at a time | medium | medium | 10 | 10 |
# | 5 | `SensorNet`: a table is no sequence | medium | medium | 10 | 10 |
# | 6 | `split_and_standardize`: whose mean is it? | easy | high | 10 | 10 |
#
# **What you need:** the lessons on BatchNorm, above all its two modes (lesson 3), and lessons 6 and 8
# for task 4.
#
# Six short PyTorch programs. Each runs without an error, and each has **one** real defect, of a kind
# that has cost people weeks. You find it and mend it.
#
# Each task goes like this:
#
# 1. a program, as somebody wrote it, with what it was meant to do;
# 2. a cell that shows what it does instead;
# 3. an empty cell for you. Copy the program there, in place of `raise NotImplementedError()`, and mend
#    it. Rewrite it as freely as you like: **what is checked is what it does**, not how it looks.
#
# The check knows which mistakes people make here, and names yours if it is one of them. Try it on the
# unmended program, too: it will tell you what it sees from outside.

# %%
import copy
import warnings

import torch
from torch.nn.functional import mse_loss

from normlab import check

# %% [markdown]
# ## Task 1: frozen, and still moving
#
# *Medium · importance high · 15 minutes · 10 points*
#
# A network has a *body*, trained at great cost on other data, and a fresh *head*. Only the head is to
# learn; nothing in the body may change. In training the head works as every network in training does,
# its own BatchNorm included.
#
# | | | |
# |---|---|---|
# | `body`, `head` | modules | the network is one behind the other; both have BatchNorm layers |
# | `batches` | a list of `(x, y)` | what the head is trained on, in this order, in every epoch |
# | `validation` | one `(x, y)` | what is measured after each epoch, in evaluation mode |
# | `epochs`, `lr` | numbers | |
# | returns `losses` | a list of `epochs` numbers | the validation losses |
#
# This is the program. It gives the parameters of the body `requires_grad=False`, and the optimizer
# does not even know them:


# %%
def fine_tune(body, head, batches, validation, epochs, lr):
    """Train the head on the batches; the body stays as it is. Returns the validation losses."""
    network = torch.nn.Sequential(body, head)
    for parameter in body.parameters():
        parameter.requires_grad_(False)
    optimizer = torch.optim.SGD(head.parameters(), lr=lr)
    losses = []
    network.train()
    for _ in range(epochs):
        for x, y in batches:
            loss = mse_loss(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            x, y = validation
            losses.append(mse_loss(network(x), y).item())
        network.train()
    return losses


# %% [markdown]
# An example with a body of 3 inputs and 2 outputs. What of it has moved?


# %%
def what_moves(fine_tune):
    torch.manual_seed(0)
    body = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2), torch.nn.ReLU())
    head = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1))
    before = copy.deepcopy(body.state_dict())
    batches = [(torch.randn(8, 3), torch.randn(8, 1)) for _ in range(4)]
    fine_tune(body, head, batches, validation=batches[0], epochs=2, lr=0.1)
    for name, now in body.state_dict().items():
        print(f"body.{name:22}", "as it was" if torch.equal(now, before[name]) else "has moved")
    print("batches seen by the head:", head[0].num_batches_tracked.item())


# %%
what_moves(fine_tune)

# %% [markdown]
# No weight has moved, and yet the body gives other answers than before. Mend the program: the body as
# it was, eight batches seen by the head.
#
# <details><summary>Hint 1: who writes there?</summary>
#
# The names of what has moved are those of *buffers*. No optimizer ever writes a buffer. Who does, and
# in which mode?
#
# </details>
#
# <details><summary>Hint 2: which call came last?</summary>
#
# `train()` and `eval()` reach every module inside the one they are called on. Go through the program
# line by line and write down in which mode the body is, through the second epoch.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "fine_tune", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fine_tune(body, head, batches, validation, epochs, lr):
    """Train the head on the batches; the body stays as it is. Returns the validation losses."""
    ### BEGIN SOLUTION
    network = torch.nn.Sequential(body, head)
    for parameter in body.parameters():
        parameter.requires_grad_(False)
    optimizer = torch.optim.SGD(head.parameters(), lr=lr)
    losses = []
    for _ in range(epochs):
        network.train()
        body.eval()  # after train(), which reaches the body, too
        for x, y in batches:
            loss = mse_loss(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            x, y = validation
            losses.append(mse_loss(network(x), y).item())
    return losses
    ### END SOLUTION


# %%
what_moves(fine_tune)

# %%
check("fine_tune", fine_tune)

# %% [markdown]
# The next cell is for grading. It is the same check once more (a grader runs it with other numbers),
# and its last line is the points.

# %% nbgrader={"grade": true, "grade_id": "fine_tune-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("fine_tune", fine_tune)
### BEGIN HIDDEN TESTS
report = check("fine_tune", fine_tune, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: who else is in the queue?
#
# *Medium · importance high · 10 minutes · 10 points*
#
# A function asks a network for its scores, some rows at a time. The scores of a row should not depend
# on how the rows are put into batches, and the network should be the same afterwards in every respect:
# its buffers, and **the mode of each of its layers** (a layer may be kept in evaluation mode on purpose
# while all others train).
#
# | | shape | |
# |---|---|---|
# | `network` | a module | in any mode; some layers may be in another mode than the rest |
# | `x` | `(N, D)` | the rows |
# | `batch_size` | a number | how many rows at a time; the last batch may be smaller, down to one row |
# | returns `scores` | `(N, C)` | a tensor without gradients |


# %%
def predict(network, x, batch_size):
    """Return the network's scores (N, C) for the rows of x (N, D), without a trace in it."""
    with torch.no_grad():
        return torch.cat([network(rows) for rows in x.split(batch_size)])


# %% [markdown]
# An example of 2×3 numbers, with a fresh BatchNorm for a network. In evaluation mode a fresh BatchNorm
# changes next to nothing: what should come out is x.


# %%
def ask(predict):
    x = torch.tensor([[1.0, 10, 6], [9, 12, -2]])  # (N=2, D=3)
    network = torch.nn.BatchNorm1d(3)
    try:
        for batch_size in (2, 1):
            scores = predict(network, x, batch_size)
            print(f"batches of {batch_size}:", *scores.round(decimals=2).tolist())
    except ValueError as error:
        print(f"batches of {batch_size}: {error}")
    print("seen in training:", network.num_batches_tracked.item(), "  mode:", network.training)


# %%
ask(predict)

# %% [markdown]
# <details><summary>Hint 1: two switches</summary>
#
# `no_grad` turns something off. Does BatchNorm ask for it when it chooses between the batch's
# statistics and the running ones?
#
# </details>
#
# <details><summary>Hint 2: as it was</summary>
#
# `network.modules()` goes through all modules, and each has its own `training`. Which of them do you
# have to remember so that every layer gets its own mode back?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "predict", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predict(network, x, batch_size):
    """Return the network's scores (N, C) for the rows of x (N, D), without a trace in it."""
    ### BEGIN SOLUTION
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    with torch.no_grad():
        scores = torch.cat([network(rows) for rows in x.split(batch_size)])
    for module, training in modes:
        module.training = training
    return scores
    ### END SOLUTION


# %%
ask(predict)

# %%
check("predict", predict)

# %% nbgrader={"grade": true, "grade_id": "predict-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("predict", predict)
### BEGIN HIDDEN TESTS
report = check("predict", predict, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: the teacher that never catches up
#
# *Medium · importance high · 15 minutes · 10 points*
#
# In semi-supervised and in reinforcement learning a *teacher* (or target network) follows a student:
# after each step of the student, every parameter of the teacher becomes
#
# $$\text{teacher} \leftarrow \text{decay} \cdot \text{teacher} + (1 - \text{decay}) \cdot \text{student}$$
#
# That is for the parameters. All buffers are to be **taken over from the student as they are**: they are
# averages already, or counters. Teacher and student share no memory: what the student does later must
# not move the teacher.
#
# | | | |
# |---|---|---|
# | `teacher`, `student` | modules | of the same layers; the teacher is changed in place |
# | `decay` | a number | between 0 and 1 |
# | returns nothing | | |


# %%
def update_teacher(teacher, student, decay):
    """Move the teacher towards the student, in place."""
    with torch.no_grad():
        for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
            ours.mul_(decay).add_(theirs, alpha=1 - decay)


# %% [markdown]
# An example, with a BatchNorm for each of them. The student's weight is 3 and the teacher's 1, so with
# decay 0.5 the teacher should get 0.5 · 1 + 0.5 · 3 = 2. The student has seen a batch of 2×3 numbers
# whose means are 5, 10 and 2, and remembers a tenth of them.


# %%
def follow(update_teacher):
    teacher, student = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    torch.nn.init.constant_(student.weight, 3)
    student(torch.tensor([[1.0, 10, 6], [9, 10, -2]]))  # (N=2, C=3)
    update_teacher(teacher, student, decay=0.5)
    for name in ("weight", "running_mean"):
        for who, network in (("student", student), ("teacher", teacher)):
            print(f"{who}.{name:13}", getattr(network, name).detach().numpy())


# %%
follow(update_teacher)

# %% [markdown]
# <details><summary>Hint 1: learned, or measured?</summary>
#
# Compare `[name for name, _ in teacher.named_parameters()]` with `list(teacher.state_dict())`.
#
# </details>
#
# <details><summary>Hint 2: taken over</summary>
#
# There is a list for the others as well: `buffers()`. One of them counts batches; can a whole number be
# averaged? And to take over numbers means to copy them: which method of a tensor does that in place?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "update_teacher", "locked": false, "schema_version": 3, "solution": true, "task": false}
def update_teacher(teacher, student, decay):
    """Move the teacher towards the student, in place."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
            ours.mul_(decay).add_(theirs, alpha=1 - decay)
        for ours, theirs in zip(teacher.buffers(), student.buffers(), strict=True):
            ours.copy_(theirs)
    ### END SOLUTION


# %%
follow(update_teacher)

# %%
check("update_teacher", update_teacher)

# %% nbgrader={"grade": true, "grade_id": "update_teacher-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("update_teacher", update_teacher)
### BEGIN HIDDEN TESTS
report = check("update_teacher", update_teacher, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 4: two samples at a time
#
# *Medium · importance medium · 10 minutes · 10 points*
#
# The samples are large, and only **two** of them fit into the memory at a time. The network that was
# built for batches of 64 learns nothing any more. Change what has to be changed, so that
#
# - the answer to a sample does not depend on the other one in the batch, and is the same in training and
#   in evaluation mode;
# - a last batch of one sample can be trained on;
# - the units of the first layer are still normalized: if that layer's weights and bias are multiplied by
#   100, the answer stays the same;
# - the normalization still has a weight to learn for each unit, as BatchNorm has.
#
# | | | |
# |---|---|---|
# | `features`, `hidden`, `classes` | numbers | inputs, units of the first layer (a multiple of 8), outputs |
# | returns `network` | a module | takes `(N, features)`, gives `(N, classes)` |


# %%
def small_batch_network(features, hidden, classes):
    """Return a network that can be trained with batches of two samples, and of one."""
    return torch.nn.Sequential(
        torch.nn.Linear(features, hidden),
        torch.nn.BatchNorm1d(hidden),
        torch.nn.ReLU(),
        torch.nn.Linear(hidden, classes),
    )


# %% [markdown]
# An example of 2×3 numbers shows what BatchNorm leaves of two samples:

# %%
two = torch.tensor([[1.0, 10, 6], [9, 10.5, -2000]])  # (N=2, C=3)
torch.nn.BatchNorm1d(3)(two).detach().round().numpy()

# %% [markdown]
# The sign of the difference, and nothing else: the answer to a sample depends on its neighbour, and
# hardly on the sample itself.


# %%
def neighbours(small_batch_network):
    torch.manual_seed(0)
    network = small_batch_network(features=3, hidden=8, classes=2)
    sample, small, large = torch.tensor([[1.0, 10, 6], [0, -9, -1], [90, 80, 70]])  # (3,) each
    beside_small = network(torch.stack([sample, small]))[0]
    beside_large = network(torch.stack([sample, large]))[0]
    print(
        "the same beside either neighbour:", torch.allclose(beside_small, beside_large, atol=1e-5)
    )


# %%
neighbours(small_batch_network)

# %% [markdown]
# Would it help to add up the gradients of 32 batches before each step? No: the means are taken in the
# forward pass, when there are two samples.
#
# <details><summary>Hint 1: what is there enough of?</summary>
#
# A mean needs many numbers. There are two samples. How many units does a sample have?
#
# </details>
#
# <details><summary>Hint 2: where you met it</summary>
#
# Lessons 06 and 08 (LayerNorm and GroupNorm) are about norms that take their statistics inside one
# sample. How many numbers share a mean in yours? With a group for every unit, it would be one.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "small_batch_network", "locked": false, "schema_version": 3, "solution": true, "task": false}
def small_batch_network(features, hidden, classes):
    """Return a network that can be trained with batches of two samples, and of one."""
    ### BEGIN SOLUTION
    return torch.nn.Sequential(
        torch.nn.Linear(features, hidden),
        torch.nn.LayerNorm(hidden),
        torch.nn.ReLU(),
        torch.nn.Linear(hidden, classes),
    )
    ### END SOLUTION


# %%
neighbours(small_batch_network)

# %%
check("small_batch_network", small_batch_network)

# %% nbgrader={"grade": true, "grade_id": "small_batch_network-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("small_batch_network", small_batch_network)
### BEGIN HIDDEN TESTS
report = check("small_batch_network", small_batch_network, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 5: a table is no sequence
#
# *Medium · importance medium · 10 minutes · 10 points*
#
# Each row of a table holds what several sensors measured at one time, each in its own unit. Before the
# linear layer, each *feature* (a column) is to be normalized over the batch, to mean 0 and variance 1
# (the variance that divides by N, `eps` 1e-5 under the root). In evaluation mode the layer uses what it
# remembered in training, with PyTorch's usual momentum 0.1 and the unbiased variance, so that one row
# alone gets the same answer as among others.
#
# | | | |
# |---|---|---|
# | `features`, `classes` | numbers | F sensors, C classes |
# | `self.linear` | `torch.nn.Linear` | keep this layer under this name |
# | returns `scores` | `(N, C)` | of `forward(x)`, with x of `(N, F)` |


# %%
class SensorNet(torch.nn.Module):
    """Normalizes each feature, then applies a linear layer."""

    def __init__(self, features, classes):
        super().__init__()
        self.norm = torch.nn.InstanceNorm1d(features)
        self.linear = torch.nn.Linear(features, classes)

    def forward(self, x):
        return self.linear(self.norm(x))


# %% [markdown]
# An example of 2×3 numbers: metres, grams and years. We make the linear layer one that changes nothing,
# so what comes out is what the norm gives. After right normalization the columns would be −1 and 1.


# %%
def measure(SensorNet):
    network = SensorNet(features=3, classes=3)
    torch.nn.init.eye_(network.linear.weight)
    torch.nn.init.zeros_(network.linear.bias)
    x = torch.tensor([[1.60, 60000, 30], [1.80, 80000, 50]])  # (N=2, F=3)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        print(network(x).detach().round(decimals=2).numpy())
    for warning in heard:
        print(f"{warning.category.__name__}: {warning.message}")


# %%
measure(SensorNet)

# %% [markdown]
# No error, and a warning that is lost among a thousand lines of a training run. Grams decide, metres
# and years are nowhere to be seen.
#
# <details><summary>Hint 1: how are two axes read?</summary>
#
# InstanceNorm1d takes `(N, C, L)`, and `(C, L)` where one sample comes without a batch axis. As which
# of the two does it read `(N, F)`? Which numbers share a mean then?
#
# </details>
#
# <details><summary>Hint 2: which numbers should share a mean?</summary>
#
# Those of one column: all rows of the batch, one feature. Which norm averages over the batch, and
# remembers for evaluation mode?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "SensorNet", "locked": false, "schema_version": 3, "solution": true, "task": false}
class SensorNet(torch.nn.Module):
    """Normalizes each feature, then applies a linear layer."""

    def __init__(self, features, classes):
        super().__init__()
        ### BEGIN SOLUTION
        self.norm = torch.nn.BatchNorm1d(features)
        self.linear = torch.nn.Linear(features, classes)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        return self.linear(self.norm(x))
        ### END SOLUTION


# %%
measure(SensorNet)

# %%
check("SensorNet", SensorNet)

# %% nbgrader={"grade": true, "grade_id": "SensorNet-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("SensorNet", SensorNet)
### BEGIN HIDDEN TESTS
report = check("SensorNet", SensorNet, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 6: whose mean is it?
#
# *Easy · importance high · 10 minutes · 10 points*
#
# The first rows of a table are for training, the others for testing. Every feature is to be
# standardized: its mean subtracted, the result divided by its standard deviation (`torch`'s `std`, with
# n − 1, as in the program). Test rows stand for data that does not exist yet: **nothing may be learned
# from them**, not even a mean.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, F)` | all rows; leave them as they are |
# | `size` | a number | how many rows, from the first, are for training |
# | returns `train, test` | `(size, F)`, `(N - size, F)` | the standardized rows, in their order |


# %%
def split_and_standardize(x, size):
    """Split x (N, F) into training and test rows, standardized. Returns train, test."""
    x = (x - x.mean(0)) / x.std(0)
    return x[:size], x[size:]


# %% [markdown]
# An example: three training rows with the means 5, 12 and 2 and the standard deviations 4, 2 and 4. A
# test row (9, 12, 42) should become (1, 0, 10).


# %%
def standardize(split_and_standardize):
    x = torch.tensor([[1.0, 10, 6], [5, 12, 2], [9, 14, -2], [9, 12, 42]])  # (N=4, F=3)
    train, test = split_and_standardize(x, size=3)
    print(train.round(decimals=2).numpy())
    print("test:", test.round(decimals=2).numpy())


# %%
standardize(split_and_standardize)

# %% [markdown]
# <details><summary>Hint 1: a probe</summary>
#
# Change the test row to (9, 12, 4200) and run the program again. Do the *training* rows change? Should
# they?
#
# </details>
#
# <details><summary>Hint 2: the order of two steps</summary>
#
# There are two steps, to split and to standardize. Which of them has to come first?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "split_and_standardize", "locked": false, "schema_version": 3, "solution": true, "task": false}
def split_and_standardize(x, size):
    """Split x (N, F) into training and test rows, standardized. Returns train, test."""
    ### BEGIN SOLUTION
    train, test = x[:size], x[size:]
    mean, std = train.mean(0), train.std(0)  # (F,) each
    return (train - mean) / std, (test - mean) / std
    ### END SOLUTION


# %%
standardize(split_and_standardize)

# %%
check("split_and_standardize", split_and_standardize)

# %% nbgrader={"grade": true, "grade_id": "split_and_standardize-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("split_and_standardize", split_and_standardize)
### BEGIN HIDDEN TESTS
report = check("split_and_standardize", split_and_standardize, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - Two switches that have nothing to do with each other: what learns (`requires_grad`, the optimizer)
#   and what is measured (`train()`, `eval()`).
# - A list of what a copy needs: parameters *and* buffers.
# - The question behind all six programs: **which numbers share this mean, and may they?**
