"""Wrong answers, written from the tasks alone by somebody who has not seen the catalogue.

They are what the check has to meet: plausible slips, none of them fitted to what it can name.
"""

from typing import NamedTuple


class Answer(NamedTuple):
    """A wrong answer: where its slip is, and whether the check lets it pass all the same."""

    key: str
    task: str
    wrong: str
    lines: tuple[int, ...]
    source: str
    passes: bool = False


ANSWERS = [
    Answer(
        key="stats-einsum-bytes",
        task="channel_statistics",
        wrong="np.einsum adds up in the dtype of the bytes, so the sums wrap around at 256.",
        lines=(4,),
        source="""\
def channel_statistics(images):
    N, C, H, W = images.shape
    n = N * H * W
    mean = np.einsum("nchw->c", images) / n / 255
    diff = images / 255 - mean[None, :, None, None]
    std = np.sqrt(np.einsum("nchw,nchw->c", diff, diff) / n)
    return mean, std
""",
    ),
    Answer(
        key="stats-255-inside-root",
        task="channel_statistics",
        wrong=(
            "The variance of the bytes is divided by 255 under the root instead of by 255 squared."
        ),
        lines=(7,),
        source="""\
def channel_statistics(images):
    imgs = images.astype(np.float64)
    axes = (0, 2, 3)
    mean = imgs.mean(axis=axes)
    centered = imgs - mean.reshape(1, -1, 1, 1)
    var = (centered**2).mean(axis=axes)
    return mean / 255, np.sqrt(var / 255)
""",
    ),
    Answer(
        key="stats-first-channel-loop",
        task="channel_statistics",
        wrong=(
            "The loop over the channels returns in its first round, so only channel 0 is there."
        ),
        lines=(8,),
        source="""\
def channel_statistics(images):
    x = images / 255.0
    means, stds = [], []
    for c in range(x.shape[1]):
        channel = x[:, c, :, :]
        means.append(np.mean(channel))
        stds.append(np.std(channel))
        return np.array(means), np.array(stds)
""",
    ),
    Answer(
        key="standardize-maximum-one-and-test-mean",
        task="standardize",
        wrong="Every std below 1 is raised to 1, and the test set is centred by its own mean.",
        lines=(6, 7, 8),
        source="""\
def standardize(train, test):
    def stats(images):
        return images.mean(axis=(0, 2, 3), keepdims=True), images.std(axis=(0, 2, 3), keepdims=True)

    mu_train, sigma = stats(train)
    mu_test, _ = stats(test)
    sigma = np.maximum(sigma, 1.0)
    return (train - mu_train) / sigma, (test - mu_test) / sigma
""",
    ),
    Answer(
        key="standardize-any-zero",
        task="standardize",
        wrong=(
            "`not std.any()` holds only if all channels are constant, so a single constant "
            "channel is divided by 0."
        ),
        lines=(4,),
        source="""\
def standardize(train, test):
    mean = np.mean(train, axis=(0, 2, 3))[:, None, None]
    std = np.std(train, axis=(0, 2, 3))[:, None, None]
    if not std.any():
        std = np.ones_like(std)
    return (train - mean) / std, (test - mean) / std
""",
    ),
    Answer(
        key="standardize-overwritten-in-loop",
        task="standardize",
        wrong=(
            "train is standardized in the caller's own array: it is changed, and no new array"
            " is returned for it."
        ),
        lines=(8,),
        source="""\
def standardize(train, test):
    out = test.copy()
    for c in range(train.shape[1]):
        m = train[:, c].mean()
        s = train[:, c].std()
        if s == 0:
            s = 1
        train[:, c] = (train[:, c] - m) / s
        out[:, c] = (out[:, c] - m) / s
    return train, out
""",
    ),
    Answer(
        key="vectors-short-ones-left",
        task="normalize_vectors",
        wrong="A vector shorter than eps is left as it is instead of being divided by eps.",
        lines=(4,),
        source="""\
def normalize_vectors(x, dim, eps):
    length = np.linalg.norm(x, axis=dim, keepdims=True)
    safe = np.where(length == 0, 1, length)
    return np.where(length > eps, x / safe, x)
""",
    ),
    Answer(
        key="vectors-not-moved-back",
        task="normalize_vectors",
        wrong="The axis was moved to the end to work on it and is not moved back.",
        lines=(5,),
        source="""\
def normalize_vectors(x, dim, eps):
    v = np.moveaxis(x, dim, -1)
    lengths = np.sqrt(np.einsum("...i,...i->...", v, v))
    divisor = np.maximum(lengths, eps)
    return v / divisor[..., None]
""",
    ),
    Answer(
        key="vectors-manhattan-plus-eps",
        task="normalize_vectors",
        wrong=(
            "The length is the sum of absolute values, and eps is added instead of being the "
            "smallest divisor."
        ),
        lines=(2, 3),
        source="""\
def normalize_vectors(x, dim, eps):
    length = np.sum(np.abs(x), axis=dim, keepdims=True)
    y = x / (length + eps)
    return y
""",
    ),
    Answer(
        key="bn-return-in-loop",
        task="batch_norm_forward",
        wrong="The return stands inside the loop over the channels: all but the first stay 0.",
        lines=(9,),
        source="""\
def batch_norm_forward(x, weight, bias, eps):
    N, C = x.shape
    y = np.zeros((N, C))
    for c in range(C):
        col = x[:, c]
        mu = col.sum() / N
        var = ((col - mu) ** 2).sum() / N
        y[:, c] = weight[c] * (col - mu) / np.sqrt(var + eps) + bias[c]
        return y
""",
    ),
    Answer(
        key="bn-mean-absolute-deviation",
        task="batch_norm_forward",
        wrong="The mean absolute deviation stands where the mean squared one should.",
        lines=(4,),
        source="""\
def batch_norm_forward(x, weight, bias, eps):
    mu = np.mean(x, axis=0)
    dev = x - mu
    var = np.mean(np.abs(dev), axis=0)
    x_hat = dev / np.sqrt(var + eps)
    return weight * x_hat + bias
""",
    ),
    Answer(
        key="bn-mean-not-squared",
        task="batch_norm_forward",
        wrong="The short-cut for the variance subtracts the mean instead of its square.",
        lines=(3,),
        source="""\
def batch_norm_forward(x, weight, bias, eps):
    mean = x.mean(axis=0)
    var = (x * x).mean(axis=0) - mean
    std = (var + eps) ** 0.5
    return (x - mean) / std * weight + bias
""",
    ),
    Answer(
        key="bn-images-back-with-swapped-axes",
        task="batch_norm_forward_images",
        wrong="On the way back from channels-last, H and W are exchanged.",
        lines=(8,),
        source="""\
def batch_norm_forward_images(x, weight, bias, eps):
    N, C, H, W = x.shape
    flat = x.transpose(0, 2, 3, 1).reshape(-1, C)
    mu = flat.mean(axis=0)
    sigma2 = flat.var(axis=0)
    flat = (flat - mu) / np.sqrt(sigma2 + eps)
    flat = weight * flat + bias
    return flat.reshape(N, H, W, C).transpose(0, 3, 2, 1)
""",
    ),
    Answer(
        key="bn-images-height-twice",
        task="batch_norm_forward_images",
        wrong="The count is N * H * H, with the height taken twice.",
        lines=(2,),
        source="""\
def batch_norm_forward_images(x, weight, bias, eps):
    m = x.shape[0] * x.shape[2] * x.shape[2]
    mean = x.sum(axis=(0, 2, 3), keepdims=True) / m
    var = ((x - mean) ** 2).sum(axis=(0, 2, 3), keepdims=True) / m
    x_hat = (x - mean) / np.sqrt(var + eps)
    return weight[None, :, None, None] * x_hat + bias[None, :, None, None]
""",
    ),
    Answer(
        key="linear-bias-squared-in-var",
        task="linear_then_batch_norm",
        wrong=(
            "The square of the linear bias is added to the variance, which a constant does "
            "not change."
        ),
        lines=(6,),
        source="""\
def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):
    z = np.einsum("nd,cd->nc", x, linear_weight)
    mu = z.mean(axis=0)
    var = z.var(axis=0)
    y = weight * (z - mu) / np.sqrt(var + eps) + bias
    return y, mu + linear_bias, var + linear_bias**2
""",
    ),
    Answer(
        key="linear-mean-with-bias-subtracted",
        task="linear_then_batch_norm",
        wrong=(
            "The mean that is subtracted has the linear bias in it, but the z it is "
            "subtracted from has not."
        ),
        lines=(5,),
        source="""\
def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):
    z = x @ linear_weight.T
    mean = np.mean(z, axis=0) + linear_bias
    var = np.var(z, axis=0)
    z_hat = (z - mean) / np.sqrt(var + eps)
    return weight * z_hat + bias, mean, var
""",
    ),
    Answer(
        key="running-var-around-running-mean",
        task="update_running_stats",
        wrong=(
            "The squares are taken around the running mean, already moved, and not around the"
            " batch mean."
        ),
        lines=(4,),
        source="""\
def update_running_stats(x, running_mean, running_var, momentum):
    n = x.shape[0]
    running_mean = running_mean + momentum * (x.mean(axis=0) - running_mean)
    var = ((x - running_mean) ** 2).sum(axis=0) / (n - 1)
    running_var = running_var + momentum * (var - running_var)
    return running_mean, running_var
""",
    ),
    Answer(
        key="running-keras-and-bessel-on-all",
        task="update_running_stats",
        wrong=(
            "Momentum is the share of the old, and n / (n - 1) multiplies the old variance as"
            " well as the new."
        ),
        lines=(3, 7),
        source="""\
def update_running_stats(x, running_mean, running_var, momentum):
    n = len(x)
    keep = momentum
    new = 1 - keep
    rm = keep * running_mean + new * np.mean(x, 0)
    rv = keep * running_var + new * np.var(x, 0)
    rv = rv * n / (n - 1)
    return rm, rv
""",
    ),
    Answer(
        key="eval-shift-without-scale",
        task="batch_norm_eval",
        wrong=(
            "In the affine form the running mean is multiplied by weight but not divided by "
            "the std."
        ),
        lines=(4,),
        source="""\
def batch_norm_eval(x, running_mean, running_var, weight, bias, eps):
    inv_std = 1.0 / np.sqrt(running_var + eps)
    a = weight * inv_std
    b = bias - weight * running_mean
    return a * x + b
""",
    ),
    Answer(
        key="eval-eps-outside-and-names",
        task="batch_norm_eval",
        wrong="eps is added outside of the root, and weight and bias are exchanged.",
        lines=(2, 3),
        source="""\
def batch_norm_eval(x, running_mean, running_var, weight, bias, eps):
    gamma, beta = bias, weight
    std = np.sqrt(running_var) + eps
    return gamma * ((x - running_mean) / std) + beta
""",
    ),
    Answer(
        key="layer-train-is-a-flag",
        task="BatchNorm",
        wrong=(
            "The flag has the name of the method, so after __init__ layer.train is a bool "
            "that cannot be called."
        ),
        lines=(10, 13, 16, 19),
        source="""\
class BatchNorm:
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.weight = np.ones(num_features)
        self.bias = np.zeros(num_features)
        self.running_mean = np.zeros(num_features)
        self.running_var = np.ones(num_features)
        self.num_batches_tracked = 0
        self.eps = eps
        self.momentum = momentum
        self.train = True

    def train(self):
        self.train = True

    def eval(self):
        self.train = False

    def __call__(self, x):
        if self.train:
            if x.shape[0] < 2:
                raise ValueError("need at least two samples in training mode")
            mean, var = x.mean(0), x.var(0)
            m = self.momentum
            self.running_mean = (1 - m) * self.running_mean + m * mean
            self.running_var = (1 - m) * self.running_var + m * x.var(0, ddof=1)
            self.num_batches_tracked += 1
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / np.sqrt(var + self.eps) + self.bias
""",
    ),
    Answer(
        key="layer-shared-arrays",
        task="BatchNorm",
        wrong=(
            "running_mean and bias are one array, running_var and weight another, and the "
            "updates are in place."
        ),
        lines=(5, 6),
        source="""\
class BatchNorm:
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.eps = eps
        self.momentum = momentum
        self.bias = self.running_mean = np.zeros(num_features)
        self.weight = self.running_var = np.ones(num_features)
        self.num_batches_tracked = 0
        self.training = True

    def train(self):
        self.training = True

    def eval(self):
        self.training = False

    def __call__(self, x):
        if self.training:
            if len(x) < 2:
                raise ValueError("a batch of one sample cannot be normalized")
            mu = x.mean(axis=0)
            var = x.var(axis=0)
            unbiased = x.var(axis=0, ddof=1)
            self.running_mean += self.momentum * (mu - self.running_mean)
            self.running_var += self.momentum * (unbiased - self.running_var)
            self.num_batches_tracked += 1
        else:
            mu, var = self.running_mean, self.running_var
        return (x - mu) / np.sqrt(var + self.eps) * self.weight + self.bias
""",
    ),
    Answer(
        key="layer-refuses-one-channel",
        task="BatchNorm",
        wrong="The ValueError looks at the number of channels instead of the number of samples.",
        lines=(21,),
        source="""\
class BatchNorm:
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = np.ones(num_features), np.zeros(num_features)
        self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)
        self.num_batches_tracked = 0
        self.mode = "train"

    def train(self):
        self.mode = "train"

    def eval(self):
        self.mode = "eval"

    def _normalize(self, x, mean, var):
        return self.weight * (x - mean) / np.sqrt(var + self.eps) + self.bias

    def __call__(self, x):
        if self.mode == "eval":
            return self._normalize(x, self.running_mean, self.running_var)
        n = x.shape[1]
        if n == 1:
            raise ValueError("Expected more than 1 value per channel when training")
        mean, var = x.mean(axis=0), x.var(axis=0)
        y = self._normalize(x, mean, var)
        self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
        unbiased = np.sum((x - mean) ** 2, axis=0) / max(len(x) - 1, 1)
        self.running_var = (1 - self.momentum) * self.running_var + self.momentum * unbiased
        self.num_batches_tracked += 1
        return y
""",
    ),
    Answer(
        key="fold-not-transposed-back",
        task="fold_batch_norm",
        wrong="The weight was transposed to line up with the scale and is returned as (D, C).",
        lines=(3,),
        source="""\
def fold_batch_norm(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    s = weight / np.sqrt(running_var + eps)
    W = linear_weight.T * s
    b = (linear_bias - running_mean) * s + bias
    return W, b
""",
    ),
    Answer(
        key="fold-mean-without-weight-no-eps",
        task="fold_batch_norm",
        wrong=(
            "The running mean is divided by the std but not multiplied by weight, and eps is "
            "forgotten."
        ),
        lines=(2, 5),
        source="""\
def fold_batch_norm(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    sigma = np.sqrt(running_var)
    factor = weight / sigma
    new_weight = np.diag(factor) @ linear_weight
    new_bias = factor * linear_bias - running_mean / sigma + bias
    return new_weight, new_bias
""",
    ),
    Answer(
        key="backward-parameters-d-for-x-hat",
        task="batch_norm_backward_parameters",
        wrong=(
            "dweight is made with x - mean, which was not divided by the std, instead of x_hat."
        ),
        lines=(4,),
        source="""\
def batch_norm_backward_parameters(dy, x, mean, var, x_hat, weight, eps):
    axes = tuple(a for a in range(dy.ndim) if a != 1)
    centered = x - mean
    dweight = np.sum(dy * centered, axis=axes)
    dbias = np.sum(dy, axis=axes)
    return dweight, dbias
""",
    ),
    Answer(
        key="backward-parameters-last-image",
        task="batch_norm_backward_parameters",
        wrong=(
            "In the loop over the samples dweight is assigned, not added to, so only the last"
            " sample is left."
        ),
        lines=(8,),
        source="""\
def batch_norm_backward_parameters(dy, x, mean, var, x_hat, weight, eps):
    N, C = dy.shape[:2]
    dy = dy.reshape(N, C, -1)
    x_hat = x_hat.reshape(N, C, -1)
    dweight = np.zeros(C)
    dbias = np.zeros(C)
    for n in range(N):
        dweight = (dy[n] * x_hat[n]).sum(axis=-1)
        dbias += dy[n].sum(axis=-1)
    return dweight, dbias
""",
    ),
    Answer(
        key="graph-floor-exponent",
        task="batch_norm_backward_graph",
        wrong="-3 // 2 is -2, so the exponent in dv is -2 instead of -3/2.",
        lines=(7,),
        source="""\
def batch_norm_backward_graph(dy, x, mean, var, x_hat, weight, eps):
    n = x.shape[0]
    d = x - mean
    inv = 1 / np.sqrt(var + eps)
    dx_hat = dy * weight
    dr = np.sum(dx_hat * d, axis=0, keepdims=True)
    dv = -0.5 * dr * (var + eps) ** (-3 // 2)
    dd = dx_hat * inv + 2 / n * d * dv
    dmu = -np.sum(dd, axis=0, keepdims=True)
    return dd + dmu / n, {"dr": dr, "dv": dv, "dd": dd, "dmu": dmu}
""",
    ),
    Answer(
        key="graph-in-place-alias",
        task="batch_norm_backward_graph",
        wrong="dd is the same array as dx_hat, so `*=` changes dx_hat before dr is made of it.",
        lines=(6, 7),
        source="""\
def batch_norm_backward_graph(dy, x, mean, var, x_hat, weight, eps):
    N = len(dy)
    d = x - mean
    r = (var + eps) ** -0.5
    dx_hat = dy * weight
    dd = dx_hat
    dd *= r
    dr = (dx_hat * d).sum(axis=0, keepdims=True)
    dv = -0.5 * dr * r**3
    dd = dd + dv * 2 * d / N
    dmu = -dd.sum(axis=0, keepdims=True)
    dx = dd + dmu / N
    return dx
""",
    ),
    Answer(
        key="graph-mu-sign-and-share",
        task="batch_norm_backward_graph",
        wrong="dmu has lost its minus, and it is handed to x without the N-th part.",
        lines=(9, 10),
        source="""\
def batch_norm_backward_graph(dy, x, mean, var, x_hat, weight, eps):
    N = x.shape[0]
    d = x - mean
    r = 1.0 / np.sqrt(var + eps)
    dx_hat = weight * dy
    dr = np.sum(dx_hat * d, axis=0, keepdims=True)
    dv = dr * (-1 / 2) * (var + eps) ** (-3 / 2)
    dd = dx_hat * r + dv * 2 * d / N
    dmu = np.sum(dd, axis=0, keepdims=True)
    dx = dd + dmu
    return dx, dict(dx_hat=dx_hat, dr=dr, dv=dv, dd=dd, dmu=dmu)
""",
    ),
    Answer(
        key="backward-weight-twice",
        task="batch_norm_backward",
        wrong=(
            "In the closed form the sums are already made of g, and weight is multiplied in "
            "once more at the end."
        ),
        lines=(8,),
        source="""\
def batch_norm_backward(dy, x, mean, var, x_hat, weight, eps):
    axes = (0,) if x.ndim == 2 else (0, 2, 3)
    n = x.size // x.shape[1]
    w = weight.reshape(mean.shape)
    g = dy * w
    dbeta = g.sum(axis=axes, keepdims=True)
    dgamma = (g * x_hat).sum(axis=axes, keepdims=True)
    return w / (n * np.sqrt(var + eps)) * (n * g - dbeta - x_hat * dgamma)
""",
    ),
    Answer(
        key="backward-product-of-means",
        task="batch_norm_backward",
        wrong="The mean of the product g * x_hat is replaced by the product of the means.",
        lines=(13,),
        source="""\
def batch_norm_backward(dy, x, mean, var, x_hat, weight, eps):
    if x.ndim == 4:
        axes = (0, 2, 3)
        weight = weight[:, None, None]
    else:
        axes = 0

    def m(a):
        return a.mean(axis=axes, keepdims=True)

    g = dy * weight
    r = 1 / np.sqrt(var + eps)
    return r * (g - m(g) - x_hat * m(g) * m(x_hat))
""",
    ),
    Answer(
        key="network-pixels-mixed",
        task="MyNetwork",
        wrong=(
            "reshape(784, -1).T mixes the pixels of different images instead of making one "
            "row of each."
        ),
        lines=(16,),
        source="""\
class MyNetwork(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(784, 256),
            torch.nn.BatchNorm1d(256),
            torch.nn.ReLU(),
            torch.nn.Linear(256, 128),
            torch.nn.BatchNorm1d(128),
            torch.nn.ReLU(),
            torch.nn.Linear(128, 10),
        )

    def forward(self, x):
        if x.dim() == 4:
            x = x.reshape(784, -1).T
        return self.layers(x)
""",
    ),
    Answer(
        key="network-keras-momentum",
        task="MyNetwork",
        wrong=(
            "momentum=0.9 is Keras's way of saying it: the running statistics take nine "
            "tenths of the new."
        ),
        lines=(5, 7),
        source="""\
class MyNetwork(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(784, 256)
        self.bn1 = torch.nn.BatchNorm1d(256, momentum=0.9)
        self.fc2 = torch.nn.Linear(256, 128)
        self.bn2 = torch.nn.BatchNorm1d(128, momentum=0.9)
        self.out = torch.nn.Linear(128, 10)

    def forward(self, x):
        x = x.view(x.shape[0], -1)
        h = self.bn1(self.fc1(x)).relu()
        h = self.bn2(self.fc2(h)).relu()
        return self.out(h)
""",
    ),
    Answer(
        key="loop-total-kept-and-eval-stays",
        task="train_and_measure",
        wrong=(
            "The sums are not set back to 0 for each epoch, and after the first measurement "
            "training goes on in evaluation mode."
        ),
        lines=(3, 4),
        source="""\
def train_and_measure(network, optimizer, train_batches, test_batches, epochs):
    losses = []
    total, samples = 0.0, 0
    network.train()
    for epoch in range(epochs):
        for x, y in train_batches:
            optimizer.zero_grad()
            cross_entropy(network(x), y).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            for x, y in test_batches:
                total += cross_entropy(network(x), y, reduction="sum").item()
                samples += y.shape[0]
        losses.append(total / samples)
    network.train()
    return losses
""",
    ),
    Answer(
        key="loop-stale-copy",
        task="train_and_measure",
        wrong="What is measured is a copy made before the training, so the loss never changes.",
        lines=(4,),
        source="""\
def train_and_measure(network, optimizer, train_batches, test_batches, epochs):
    import copy

    tester = copy.deepcopy(network).eval()
    network.train()
    losses = []
    for _ in range(epochs):
        for x, y in train_batches:
            loss = cross_entropy(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            logits = torch.cat([tester(x) for x, _ in test_batches])
            labels = torch.cat([y for _, y in test_batches])
            losses.append(cross_entropy(logits, labels).item())
    return losses
""",
    ),
    Answer(
        key="epoch-last-batch-dropped",
        task="train_one_epoch",
        wrong="The integer division forgets the last, smaller batch of 32.",
        lines=(5,),
        source="""\
def train_one_epoch(network, inputs, labels):
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    network.train()
    order = torch.randperm(len(inputs))
    for i in range(len(inputs) // 64):
        rows = order[i * 64 : (i + 1) * 64]
        optimizer.zero_grad()
        loss = cross_entropy(network(inputs[rows]), labels[rows])
        loss.backward()
        optimizer.step()
""",
        passes=True,
    ),
    Answer(
        key="epoch-with-replacement",
        task="train_one_epoch",
        wrong=(
            "Each batch is drawn anew with replacement, so some images come twice and others never."
        ),
        lines=(7,),
        source="""\
def train_one_epoch(network, inputs, labels):
    network.train()
    opt = torch.optim.SGD(network.parameters(), lr=0.1)
    steps = -(-len(inputs) // 64)
    for step in range(steps):
        size = min(64, len(inputs) - 64 * step)
        rows = torch.randint(0, len(inputs), (size,))
        loss = cross_entropy(network(inputs[rows]), labels[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    ),
    Answer(
        key="layer-norm-one-axis",
        task="layer_norm_forward",
        wrong="axis=-weight.ndim is one axis and not as many as weight has.",
        lines=(3, 4),
        source="""\
def layer_norm_forward(x, weight, bias, eps):
    k = weight.ndim
    mu = x.mean(axis=-k, keepdims=True)
    sigma2 = x.var(axis=-k, keepdims=True)
    return (x - mu) / np.sqrt(sigma2 + eps) * weight + bias
""",
    ),
    Answer(
        key="layer-norm-eps-squared",
        task="layer_norm_forward",
        wrong="eps is squared under the root.",
        lines=(4,),
        source="""\
def layer_norm_forward(x, weight, bias, eps):
    rows = x.reshape(-1, weight.size)
    centered = rows - rows.mean(axis=1, keepdims=True)
    std = np.sqrt((centered**2).mean(axis=1, keepdims=True) + eps**2)
    y = centered / std * weight.ravel() + bias.ravel()
    return y.reshape(x.shape)
""",
    ),
    Answer(
        key="layer-norm-count-of-last-axis",
        task="layer_norm_forward",
        wrong=(
            "The sums run over all of weight's axes but are divided by the length of the last"
            " one alone."
        ),
        lines=(3,),
        source="""\
def layer_norm_forward(x, weight, bias, eps):
    axes = tuple(-i - 1 for i in range(weight.ndim))
    D = x.shape[-1]
    mean = x.sum(axis=axes, keepdims=True) / D
    var = ((x - mean) ** 2).sum(axis=axes, keepdims=True) / D
    return weight * (x - mean) / np.sqrt(var + eps) + bias
""",
    ),
    Answer(
        key="layer-norm-back-weight-count-as-axes",
        task="layer_norm_backward",
        wrong=(
            "dweight and dbias are summed over as many first axes as weight has, which is "
            "right only by chance."
        ),
        lines=(4,),
        source="""\
def layer_norm_backward(dy, x, mean, var, x_hat, weight, eps):
    k = weight.ndim
    stat_axes = tuple(range(-k, 0))
    param_axes = tuple(range(k))
    g = dy * weight
    a = g.mean(stat_axes, keepdims=True)
    b = (g * x_hat).mean(stat_axes, keepdims=True)
    dx = (g - a - x_hat * b) * (var + eps) ** -0.5
    dweight = (dy * x_hat).sum(param_axes)
    dbias = dy.sum(param_axes)
    return dx, dweight, dbias
""",
    ),
    Answer(
        key="layer-norm-back-order-and-weight-in-dweight",
        task="layer_norm_backward",
        wrong="dweight is made of dx_hat, with weight in it, and it is returned after dbias.",
        lines=(5, 13),
        source="""\
def layer_norm_backward(dy, x, mean, var, x_hat, weight, eps):
    last = tuple(range(x.ndim - weight.ndim, x.ndim))
    first = tuple(range(x.ndim - weight.ndim))
    dx_hat = dy * weight
    dgamma = (dx_hat * x_hat).sum(axis=first)
    dbeta = dy.sum(axis=first)
    r = 1 / np.sqrt(var + eps)
    dx = r * (
        dx_hat
        - dx_hat.mean(axis=last, keepdims=True)
        - x_hat * (dx_hat * x_hat).mean(axis=last, keepdims=True)
    )
    return dx, dbeta, dgamma
""",
    ),
    Answer(
        key="padded-nonzero-is-real",
        task="sequence_norm_padded",
        wrong="What is real is guessed from the numbers (not all 0), and lengths is ignored.",
        lines=(3,),
        source="""\
def sequence_norm_padded(x, lengths, weight, bias, eps):
    B, T, D = x.shape
    mask = (x != 0).any(axis=2, keepdims=True)
    n = mask.sum(axis=(1, 2), keepdims=True) * D
    mu = np.where(mask, x, 0).sum(axis=(1, 2), keepdims=True) / n
    dev = np.where(mask, x - mu, 0)
    var = (dev**2).sum(axis=(1, 2), keepdims=True) / n
    return np.where(mask, weight * dev / np.sqrt(var + eps) + bias, 0)
""",
    ),
    Answer(
        key="padded-copy-and-per-feature",
        task="sequence_norm_padded",
        wrong=(
            "The padding is left as it was in a copy of x, and each feature gets a mean and a"
            " variance of its own."
        ),
        lines=(2, 5, 6),
        source="""\
def sequence_norm_padded(x, lengths, weight, bias, eps):
    y = x.copy()
    for b, n in enumerate(lengths):
        seq = x[b, :n]
        mean = seq.mean(axis=0)
        var = seq.var(axis=0)
        y[b, :n] = weight * (seq - mean) / np.sqrt(var + eps) + bias
    return y
""",
    ),
    Answer(
        key="instance-weight-or-ones",
        task="instance_norm_forward",
        wrong="`weight or ones` asks for the truth of an array, which NumPy refuses.",
        lines=(3, 4),
        source="""\
def instance_norm_forward(x, weight, bias, eps):
    C = x.shape[1]
    weight = weight or np.ones(C)
    bias = bias or np.zeros(C)
    mean = x.mean((2, 3), keepdims=True)
    var = x.var((2, 3), keepdims=True)
    y = (x - mean) / np.sqrt(var + eps)
    return y * weight[:, None, None] + bias[:, None, None]
""",
    ),
    Answer(
        key="instance-repeat-for-tile",
        task="instance_norm_forward",
        wrong="For the N * C maps in a row the weights are repeated where they should be tiled.",
        lines=(8,),
        source="""\
def instance_norm_forward(x, weight, bias, eps):
    N, C, H, W = x.shape
    maps = x.reshape(N * C, H * W)
    mu = maps.mean(axis=1, keepdims=True)
    var = maps.var(axis=1, keepdims=True)
    maps = (maps - mu) / np.sqrt(var + eps)
    if weight is not None:
        maps = np.repeat(weight, N)[:, None] * maps + np.repeat(bias, N)[:, None]
    return maps.reshape(N, C, H, W)
""",
    ),
    Answer(
        key="restyle-pixels-of-content-for-both",
        task="restyle",
        wrong="The sums over the style are divided by the number of pixels of the content.",
        lines=(3, 6, 8),
        source="""\
def restyle(content, style, eps):
    C, H, W = content.shape
    n = H * W

    def statistics(image):
        mu = np.einsum("chw->c", image) / n
        dev = image - mu[:, None, None]
        sigma = np.sqrt(np.einsum("chw,chw->c", dev, dev) / n + eps)
        return mu[:, None, None], sigma[:, None, None]

    mu_c, sigma_c = statistics(content)
    mu_s, sigma_s = statistics(style)
    return sigma_s * (content - mu_c) / sigma_c + mu_s
""",
    ),
    Answer(
        key="groups-num-groups-as-size",
        task="group_norm_forward",
        wrong="The blocks are num_groups channels long, where they should be C / num_groups.",
        lines=(5,),
        source="""\
def group_norm_forward(x, num_groups, weight, bias, eps):
    y = np.zeros_like(x)
    for n in range(x.shape[0]):
        for g in range(num_groups):
            block = slice(g * num_groups, (g + 1) * num_groups)
            values = x[n, block]
            if values.size:
                y[n, block] = (values - values.mean()) / np.sqrt(values.var() + eps)
    shape = [1, -1] + [1] * (x.ndim - 2)
    return y * weight.reshape(shape) + bias.reshape(shape)
""",
    ),
    Answer(
        key="groups-batch-axis-forgotten",
        task="group_norm_forward",
        wrong=(
            "The reshape has no axis for the samples, so a group is a piece of the whole batch."
        ),
        lines=(2,),
        source="""\
def group_norm_forward(x, num_groups, weight, bias, eps):
    grouped = x.reshape(num_groups, -1)
    mu = grouped.mean(axis=1, keepdims=True)
    var = grouped.var(axis=1, keepdims=True)
    x_hat = ((grouped - mu) / np.sqrt(var + eps)).reshape(x.shape)
    extra = (1,) * (x.ndim - 2)
    return x_hat * weight.reshape(-1, *extra) + bias.reshape(-1, *extra)
""",
    ),
    Answer(
        key="group-back-tile-for-repeat",
        task="group_norm_backward",
        wrong=(
            "inv_std is tiled over the channels, so neighbours get the values of different groups."
        ),
        lines=(12,),
        source="""\
def group_norm_backward(dy, x_hat, inv_std, weight):
    N, C, H, W = dy.shape
    G = inv_std.shape[1]
    dweight = np.einsum("nchw,nchw->c", dy, x_hat)
    dbias = np.einsum("nchw->c", dy)
    g = dy * weight[None, :, None, None]

    def m(t):
        mean = t.reshape(N, G, -1).mean(axis=2)
        return np.repeat(mean, C // G, axis=1)[:, :, None, None]

    r = np.tile(inv_std, (1, C // G))[:, :, None, None]
    return r * (g - m(g) - x_hat * m(g * x_hat)), dweight, dbias
""",
    ),
    Answer(
        key="group-back-count-and-mean-bias",
        task="group_norm_backward",
        wrong=(
            "The averages divide by H * W without the channels of the group, and dbias is a mean."
        ),
        lines=(5, 9),
        source="""\
def group_norm_backward(dy, x_hat, inv_std, weight):
    N, C, H, W = dy.shape
    G = inv_std.shape[1]
    dweight = (dy * x_hat).sum(axis=(0, 2, 3))
    dbias = dy.mean(axis=(0, 2, 3))
    g = (dy * weight.reshape(1, C, 1, 1)).reshape(N, G, C // G, H, W)
    xh = x_hat.reshape(N, G, C // G, H, W)
    r = inv_std.reshape(N, G, 1, 1, 1)
    size = H * W
    t1 = g.sum(axis=(2, 3, 4), keepdims=True) / size
    t2 = (g * xh).sum(axis=(2, 3, 4), keepdims=True) / size
    dx = r * (g - t1 - xh * t2)
    return dx.reshape(N, C, H, W), dweight, dbias
""",
    ),
    Answer(
        key="ends-instance-of-layer",
        task="two_ends",
        wrong=(
            "x is overwritten with the output of the first layer, and InstanceNorm is taken "
            "of that."
        ),
        lines=(6, 8),
        source="""\
def two_ends(x, weight, bias, eps):
    def norm(a, axes):
        mu = a.mean(axis=axes, keepdims=True)
        return (a - mu) / np.sqrt(a.var(axis=axes, keepdims=True) + eps)

    x = norm(x, (1, 2, 3))
    layer = weight * x + bias
    instance = norm(x, (2, 3))
    return layer, instance
""",
    ),
    Answer(
        key="rms-half-squared",
        task="rms_norm_forward",
        wrong=(
            "Only the mean is taken in float32: the squares are still computed in float16 and"
            " overflow."
        ),
        lines=(2,),
        source="""\
def rms_norm_forward(x, weight, eps):
    ms = np.mean(np.square(x), axis=-1, keepdims=True, dtype=np.float32)
    return weight * (x / np.sqrt(ms + eps))
""",
    ),
    Answer(
        key="rms-norm-over-d-eps-outside",
        task="rms_norm_forward",
        wrong=(
            "The length is divided by D and not by its root, and eps is added to the result "
            "instead of to the mean square."
        ),
        lines=(4, 5),
        source="""\
def rms_norm_forward(x, weight, eps):
    x = x.astype(np.float64)
    D = x.shape[-1]
    rms = np.linalg.norm(x, axis=-1, keepdims=True) / D
    return weight * x / (rms + eps)
""",
    ),
    Answer(
        key="lrn-cumsum-without-first",
        task="local_response_norm",
        wrong=(
            "The difference of running sums begins behind the window's first channel, which "
            "is lost."
        ),
        lines=(8,),
        source="""\
def local_response_norm(x, size, alpha, beta, k):
    N, C, H, W = x.shape
    squares = np.zeros((N, C + size, H, W))
    squares[:, size // 2 : size // 2 + C] = x**2
    running = np.cumsum(squares, axis=1)
    y = np.empty_like(x)
    for c in range(C):
        window = running[:, c + size - 1] - running[:, c]
        y[:, c] = x[:, c] / (k + alpha / size * window) ** beta
    return y
""",
    ),
    Answer(
        key="lrn-window-reads-output",
        task="local_response_norm",
        wrong=(
            "The windows read from the array that is being written, so earlier neighbours are"
            " already divided."
        ),
        lines=(2, 7),
        source="""\
def local_response_norm(x, size, alpha, beta, k):
    y = x.copy()
    C = x.shape[1]
    for c in range(C):
        lo = max(0, c - size // 2)
        hi = min(C, c - size // 2 + size)
        s = np.sum(y[:, lo:hi] ** 2, axis=1)
        y[:, c] = x[:, c] / (k + alpha * s / size) ** beta
    return y
""",
    ),
    Answer(
        key="weight-norm-spectral",
        task="weight_norm",
        wrong=(
            "norm(matrix, 2) is the largest singular value of the whole matrix, one number "
            "for all outputs."
        ),
        lines=(3,),
        source="""\
def weight_norm(v, g):
    rows = v.reshape(len(v), -1)
    length = np.linalg.norm(rows, 2)
    w = g[:, None] * rows / length
    return w.reshape(v.shape)
""",
    ),
    Answer(
        key="merge-chan-total-too-early",
        task="merge_statistics",
        wrong=(
            "In Chan's merge the total is updated before it stands for the count so far, so "
            "the factor n_a * n_b / n becomes n_b."
        ),
        lines=(7, 10),
        source="""\
def merge_statistics(counts, means, variances):
    C = means.shape[1]
    n, mean, m2 = 0, np.zeros(C), np.zeros(C)
    for n_k, mean_k, var_k in zip(counts, means, variances):
        if n_k == 0:
            continue
        n += n_k
        delta = mean_k - mean
        mean = mean + delta * n_k / n
        m2 = m2 + var_k * n_k + delta**2 * n * n_k / n
    return mean, m2 / n
""",
    ),
    Answer(
        key="merge-one-value-and-abs",
        task="merge_statistics",
        wrong=(
            "Workers with a single value are left out with the idle ones, and the distance of"
            " the means is not squared."
        ),
        lines=(2, 6),
        source="""\
def merge_statistics(counts, means, variances):
    keep = counts > 1
    n = counts[keep].astype(float)
    mu = np.average(means[keep], axis=0, weights=n)
    within = np.average(variances[keep], axis=0, weights=n)
    between = np.average(np.abs(means[keep] - mu), axis=0, weights=n)
    return mu, within + between
""",
    ),
    Answer(
        key="fine-tune-copied-body",
        task="fine_tune",
        wrong=(
            "A copy of the body is used to protect the original, and the copy's running "
            "statistics still move and spoil the losses."
        ),
        lines=(4, 11),
        source="""\
def fine_tune(body, head, batches, validation, epochs, lr):
    import copy

    frozen = copy.deepcopy(body)
    for p in frozen.parameters():
        p.requires_grad = False
    network = torch.nn.Sequential(frozen, head)
    optimizer = torch.optim.SGD(head.parameters(), lr=lr)
    losses = []
    for _ in range(epochs):
        network.train()
        for x, y in batches:
            optimizer.zero_grad()
            loss = mse_loss(network(x), y)
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            losses.append(mse_loss(network(validation[0]), validation[1]).item())
    return losses
""",
    ),
    Answer(
        key="predict-restored-backwards",
        task="predict",
        wrong=(
            "The modes are restored with train(mode) from the last module to the first, and "
            "the outer modules overwrite the inner ones."
        ),
        lines=(7, 8),
        source="""\
def predict(network, x, batch_size):
    modes = [(m, m.training) for m in network.modules()]
    network.eval()
    with torch.inference_mode():
        scores = torch.cat([network(part) for part in torch.split(x, batch_size)])
    while modes:
        module, mode = modes.pop()
        module.train(mode)
    return scores
""",
    ),
    Answer(
        key="teacher-loaded-first",
        task="update_teacher",
        wrong=(
            "load_state_dict takes over the parameters as well, before the average is made: "
            "the teacher becomes the student."
        ),
        lines=(2,),
        source="""\
def update_teacher(teacher, student, decay):
    teacher.load_state_dict(student.state_dict())
    with torch.no_grad():
        for t, s in zip(teacher.parameters(), student.parameters()):
            t.copy_(decay * t + (1 - decay) * s)
""",
    ),
    Answer(
        key="small-batch-true-is-eps",
        task="small_batch_network",
        wrong=(
            "The third argument of GroupNorm is eps, so True, meant for affine, makes an eps of 1."
        ),
        lines=(6,),
        source="""\
def small_batch_network(features, hidden, classes):
    from torch import nn

    return nn.Sequential(
        nn.Linear(features, hidden),
        nn.GroupNorm(hidden // 8, hidden, True),
        nn.ReLU(),
        nn.Linear(hidden, classes),
    )
""",
    ),
    Answer(
        key="sensor-biased-running-var",
        task="SensorNet",
        wrong="The running variance is updated with the biased variance of the batch.",
        lines=(14,),
        source="""\
class SensorNet(torch.nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("var", torch.ones(features))
        self.linear = torch.nn.Linear(features, classes)

    def forward(self, x):
        if self.training:
            mean = x.mean(dim=0)
            var = x.var(dim=0, unbiased=False)
            with torch.no_grad():
                self.mean.lerp_(mean, 0.1)
                self.var.lerp_(var, 0.1)
        else:
            mean, var = self.mean, self.var
        return self.linear((x - mean) / torch.sqrt(var + 1e-5))
""",
    ),
    Answer(
        key="sensor-statistics-no-buffers",
        task="SensorNet",
        wrong=(
            "The running statistics are plain attributes and no buffers: the state_dict lacks"
            " them, and a network that was saved and loaded has forgotten them."
        ),
        lines=(5, 6),
        source="""\
class SensorNet(torch.nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.linear = torch.nn.Linear(features, classes)
        self.running_mean = torch.zeros(features)
        self.running_var = torch.ones(features)

    def forward(self, x):
        if self.training:
            mu, var = x.mean(0), x.var(0, correction=0)
            self.running_mean = 0.9 * self.running_mean + 0.1 * mu
            self.running_var = 0.9 * self.running_var + 0.1 * x.var(0)
        else:
            mu, var = self.running_mean, self.running_var
        return self.linear((x - mu) / (var + 1e-5).sqrt())
""",
    ),
    Answer(
        key="split-one-row-lost",
        task="split_and_standardize",
        wrong="The test rows begin at size + 1, and one row is lost.",
        lines=(3,),
        source="""\
def split_and_standardize(x, size):
    train = x[:size]
    test = x[size + 1 :]
    mu = train.mean(dim=0, keepdim=True)
    sigma = train.std(dim=0, keepdim=True)
    return (train - mu) / sigma, (test - mu) / sigma
""",
    ),
    Answer(
        key="split-one-std-for-all",
        task="split_and_standardize",
        wrong="The std is taken of the whole table at once, one number for all features.",
        lines=(4,),
        source="""\
def split_and_standardize(x, size):
    train, test = torch.split(x, [size, len(x) - size])
    mean = train.mean(0)
    std = train.std()
    train = (train - mean) / std
    test = (test - mean) / std
    return train, test
""",
    ),
]
