"""All of a model that looking at it must not change."""

import copy

import torch


def snapshot(model):
    return {
        "state": copy.deepcopy(model.state_dict()),
        "grads": {name: copy.deepcopy(p.grad) for name, p in model.named_parameters()},
        "plain": [
            {name: copy.deepcopy(v) for name, v in vars(m).items() if isinstance(v, torch.Tensor)}
            for m in model.modules()
        ],
        "needs": [p.requires_grad for p in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "hooks": [
            len(module._forward_hooks) + len(module._forward_pre_hooks)
            for module in model.modules()
        ],
        "random": torch.get_rng_state(),
    }


def equal(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other
