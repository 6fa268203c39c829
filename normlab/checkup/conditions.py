"""What can be wrong with a norm layer: each condition, why it matters, and what to do."""

from dataclasses import dataclass

LEVELS = ("wrong", "suspicious", "unseen", "note")


@dataclass(frozen=True)
class Condition:
    """Something that a norm layer may suffer from.

    Attributes
    ----------
    name
        In a few words.
    level
        ``"wrong"`` where no one can have wanted it, ``"suspicious"`` where it is a mistake more
        often than not, ``"unseen"`` where the doctor could not look, ``"note"`` where it is
        harmless, or right in some programs.
    why
        What it does to the model.
    cure
        What to do about it.
    section
        The heading in ``lesson`` under which it is shown.
    lesson
        The lesson's file name, without its ending.
    """

    name: str
    level: str
    why: str
    cure: str
    section: str
    lesson: str = "13_choose_and_debug"


ONE_VALUE = Condition(
    name="BatchNorm fed one value per channel",
    level="wrong",
    why="One value has no spread: in training mode torch refuses it with a ValueError.",
    cure="Leave out a last batch of one (drop_last=True), use larger batches, or a norm that does "
    "not look at the batch.",
    section="The last batch of one",
)
TWO_VALUES = Condition(
    name="two values per statistic",
    level="suspicious",
    why="Of two values nothing is left but which is the larger: they come out as -1 and 1.",
    cure="Give each mean more numbers: a larger batch, larger groups, or LayerNorm.",
    section="Two samples are no statistic",
)
ONE_NUMBER = Condition(
    name="a norm over one number",
    level="wrong",
    why="A number minus its own mean is 0: what comes out is the bias, whatever goes in.",
    cure="Use fewer groups, or a norm whose mean is taken over more numbers.",
    section="Groups of one",
)
GROUPS_OF_ONE = Condition(
    name="GroupNorm with one channel per group",
    level="note",
    why="This is InstanceNorm. On vectors (N, C) each group is one number, and nothing is left.",
    cure="On images, fine if you want InstanceNorm. Otherwise fewer groups: "
    "GroupNorm(num_groups, num_channels).",
    section="Groups of one",
)
TRAINS_IN_EVAL = Condition(
    name="in training mode, in a model in evaluation mode",
    level="suspicious",
    why="Answers depend on who else is in the batch, and every forward pass moves the running "
    "statistics.",
    cure="Call eval() on the whole model before you test it.",
    section="Two switches, two meanings",
)
ALWAYS_BATCH = Condition(
    name="remembers no statistics (track_running_stats=False)",
    level="note",
    why="Evaluation mode, too, uses the batch's statistics: answers depend on the batch, and one "
    "vector alone is refused.",
    cure="Leave track_running_stats at True if single samples are to get an answer.",
    section="Two switches, two meanings",
)
FLAG_CHANGED = Condition(
    name="track_running_stats changed after the layer was built",
    level="suspicious",
    why="The flag alone decides nothing: the buffers are made, or not, when the layer is built. A "
    "BatchNorm that has them goes on using them in evaluation mode, and training no longer moves "
    "them.",
    cure="Build the layer with the flag you want. To keep the statistics still, call eval() on it.",
    section="Two switches, two meanings",
)
LIVE_BUFFERS = Condition(
    name="frozen parameters, live buffers",
    level="suspicious",
    why="No parameter is learning, and yet each forward pass moves the running statistics, and "
    "the answers with them: requires_grad does not reach buffers.",
    cure="Call eval() on the frozen part, again after each train() of the whole.",
    section="Frozen, and still moving",
)
EVAL_IN_TRAINING = Condition(
    name="in evaluation mode, in a model that is training",
    level="suspicious",
    why="It normalizes with old statistics while its weight and bias, or the layers before it, "
    "still learn.",
    cure="Call train() on it; or, if it is frozen on purpose, freeze its parameters as well.",
    section="Frozen, and still moving",
)
UNMEASURED = Condition(
    name="learned weight and bias, running statistics of the first day",
    level="suspicious",
    why="The layer subtracts 0 and divides by 1: only parameters() were copied or loaded, and "
    "buffers are not among them.",
    cure="Copy the whole state_dict(), or the buffers as well as the parameters.",
    section="What parameters() does not list",
)
NO_BATCH_YET = Condition(
    name="in evaluation mode before the first batch",
    level="note",
    why="Running mean 0 and variance 1 were never measured: the layer changes next to nothing.",
    cure="Train first, or load a whole state_dict().",
    section="What parameters() does not list",
)
NOT_FINITE = Condition(
    name="NaN or infinity inside",
    level="wrong",
    why="In evaluation mode these channels give NaN or lose their input, for good: an average "
    "never forgets a NaN.",
    cure="Find the batch that brought it. Then reset_running_stats() and a few forward passes in "
    "training mode, or an older checkpoint.",
    section="An average never forgets a NaN",
)
NEGATIVE_VARIANCE = Condition(
    name="a negative running variance",
    level="wrong",
    why="There is no such variance; its root is NaN where it is below -eps.",
    cure="Look where the buffers come from: a file in another order, or a variance computed as "
    "E[x²] - E[x]².",
    section="An average never forgets a NaN",
)
BAD_INPUT = Condition(
    name="fed NaN or infinity",
    level="wrong",
    why="In training mode one such number spoils its channel of the running statistics for good.",
    cure="Look at the example and at the layers before this one.",
    section="An average never forgets a NaN",
)
TABLE = Condition(
    name="InstanceNorm1d on a table",
    level="suspicious",
    why="Two axes are read as (channels, positions) of one sample: each row is normalized over its "
    "features, and the largest unit decides.",
    cure="BatchNorm1d normalizes the columns of (N, F), LayerNorm its rows.",
    section="A table is no sequence",
)
MOMENTUM_REVERSED = Condition(
    name="momentum reversed",
    level="suspicious",
    why="In PyTorch momentum is the share of the new batch. With a large one the running "
    "statistics are little more than those of the last batch.",
    cure="Keras's momentum m is 1 - m here: 0.99 becomes 0.01.",
    section="Three numbers to read twice",
)
MOMENTUM_STILL = Condition(
    name="running statistics that never move",
    level="suspicious",
    why="With this momentum the buffers stay at mean 0 and variance 1, or what was loaded.",
    cure="Use 0.1, or None for a plain average (BatchNorm only).",
    section="Three numbers to read twice",
)
LARGE_EPS = Condition(
    name="eps outweighs the variance",
    level="suspicious",
    why="eps is added to the variance: where it is the larger of the two, the output shrinks "
    "instead of getting variance 1.",
    cure="Use PyTorch's 1e-5, unless the weights came from a library with another default.",
    section="Three numbers to read twice",
)
NO_EPS = Condition(
    name="no eps under the root",
    level="suspicious",
    why="A constant input is divided by 0: NaN (BatchNorm refuses eps=0 in training mode).",
    cure="Use PyTorch's 1e-5.",
    section="Three numbers to read twice",
)
SWALLOWED_BIAS = Condition(
    name="a bias that the norm subtracts again",
    level="note",
    why="A constant added to a whole channel is part of its mean, and the mean is subtracted: the "
    "bias has no effect in training and no gradient but rounding. The norm's own bias does its "
    "work.",
    cure="Pass bias=False to the layer before it. Nothing is wrong; it saves parameters.",
    section="Three numbers to read twice",
)
HALF_BUFFERS = Condition(
    name="running statistics in half precision",
    level="suspicious",
    why="A tenth of a small change is lost in rounding, and float16 ends at 65,504, which a "
    "variance reaches when values are near 256.",
    cure="Keep the norms in float32 and use torch.autocast, or convert after training.",
    section="Half precision",
)
DROPOUT_BEFORE = Condition(
    name="dropout right before BatchNorm",
    level="note",
    why="In training, dropout raises the variance that BatchNorm remembers; in evaluation mode "
    "dropout is off, and the variance is another.",
    cure="Put dropout behind the last BatchNorm.",
    section="Good in training, poor in evaluation",
)
SEVERAL_CALLS = Condition(
    name="one BatchNorm, several calls in a forward pass",
    level="note",
    why="Each call is normalized by itself, and all of them go into one running average.",
    cure="If the calls see different data, give each its own norm.",
    section="Whose mean is it?",
)
HIDDEN = Condition(
    name="norm layers in a plain Python container",
    level="wrong",
    why="The model does not know them: parameters(), state_dict(), train(), eval() and to() all "
    "pass them by.",
    cure="Use nn.ModuleList or nn.ModuleDict instead.",
    section="Hidden in a list",
)
HIDDEN_LAYERS = Condition(
    name="layers in a plain Python container",
    level="suspicious",
    why="The model does not know them: no optimizer gets their parameters from parameters(), and "
    "they are in no state_dict().",
    cure="Use nn.ModuleList or nn.ModuleDict instead; if they are not to learn, freeze them.",
    section="Hidden in a list",
)
UNKNOWN_NORM = Condition(
    name="norms of a class that the doctor does not know",
    level="unseen",
    why="The class is called a norm, or has a weight and an eps as norms have, and what it does is "
    "no norm over one choice of axes. Nothing here speaks for it or against it.",
    cure="Compare it with a norm you trust, on a small input, in both modes.",
    section="Look before you guess",
)
BY_HAND = Condition(
    name="a norm inside a forward method",
    level="unseen",
    why="The layer calls functions that normalize, or that norms are made of, and is none itself. "
    "The doctor looks at layers.",
    cure="Make it a layer of its own, if you want it looked at.",
    section="Look before you guess",
)
SCRIPTED = Condition(
    name="compiled by torch.jit",
    level="unseen",
    why="Of a compiled layer the doctor sees the name, and not what it does.",
    cure="Look at the model before torch.jit.script or torch.jit.trace.",
    section="Look before you guess",
)
NO_NUMBERS = Condition(
    name="norms that hold no numbers yet",
    level="unseen",
    why="A lazy layer is built by its first input, and on the meta device a tensor has a shape and "
    "nothing in it.",
    cure="Run one batch through the model, or load its weights, and ask again.",
    section="Look before you guess",
)
EXAMPLE_FAILED = Condition(
    name="the example stopped",
    level="suspicious",
    why="Only the registered layers were looked at: not what they are fed, nor in which order they "
    "run.",
    cure="Pass what you pass to the model: a batch in a tensor, a tuple of arguments, or a mapping "
    "of named ones.",
    section="Look before you guess",
)
NOT_RUN = Condition(
    name="the example was not run",
    level="unseen",
    why="It runs on a copy, so that the model stays as it is, and this model cannot be copied.",
    cure="Look for a tensor that was computed and kept as an attribute: detach() it.",
    section="Look before you guess",
)
DEAD_WEIGHT = Condition(
    name="weight shrunk to nothing",
    level="suspicious",
    why="The norm's output is multiplied by it: next to nothing of the input passes.",
    cure="Leave norms out of weight decay, and look whether anything behind the layer still "
    "learns.",
    section="Weight decay on weight and bias",
)
DECAYED = Condition(
    name="weight decay on the norm's weight and bias",
    level="note",
    why="Decay pulls the scale towards 0, where the layer passes nothing, without making the "
    "model any simpler.",
    cure="Put all parameters with one axis into a group of the optimizer with weight_decay=0.",
    section="Weight decay on weight and bias",
)

NO_LAST_NORM = Condition(
    name="pre-norm without a last norm",
    level="suspicious",
    why="In pre-norm nothing makes the stream smaller: what reads it at the end gets it in "
    "whatever size it has grown to.",
    cure="Put a norm between the last block and what reads it; nn.TransformerEncoder takes it as "
    "norm=. If the weights are a published model's, it has one: load it.",
    section="The stream grows, so a last norm",
    lesson="14_norms_in_a_modern_transformer",
)
AROUND_0 = Condition(
    name="norm weights around 0, of both signs",
    level="suspicious",
    why="A norm's weight begins at 1. Files of some models hold what is added to 1: read as they "
    "are, such weights let next to nothing through.",
    cure="Look whether the model multiplies by 1 + w; then add 1 when you load, in float32. "
    "Compare one answer with the original's.",
    section="w or 1 + w",
    lesson="14_norms_in_a_modern_transformer",
)
QK_AXIS = Condition(
    name="QK-norm that looks at other tokens, or at other samples",
    level="suspicious",
    why="It is to give each query and each key one size, so that no logit outgrows the others. "
    "Over this axis it does not, and a token depends on those after it.",
    cure="Normalize over the features of a head: the last axis of (B, heads, T, size).",
    section="QK-norm",
    lesson="14_norms_in_a_modern_transformer",
)

CONDITIONS: tuple[Condition, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Condition)
)
