"""The trainer's layers by PyTorch and its own gradients, in float64."""
import torch
from torch.nn import functional


def _leaf(x):
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


def _numpy(**results):
    return {name: x.detach().numpy() for name, x in results.items()}


def _back(y, dy):
    y.backward(torch.tensor(dy, dtype=torch.float64))


def conv(x, filters, dy, stride, pad):
    x, filters = _leaf(x), _leaf(filters)
    y = functional.conv2d(x, filters, stride=stride.tolist(), padding=pad.tolist())
    _back(y, dy)
    return _numpy(y=y, dx=x.grad, dfilters=filters.grad)


def norm(x, gamma, beta, dy, groups, eps):
    x, gamma, beta = _leaf(x), _leaf(gamma), _leaf(beta)
    y = functional.group_norm(x, groups, gamma, beta, eps)
    _back(y, dy)
    return _numpy(y=y, dx=x.grad, dgamma=gamma.grad, dbeta=beta.grad)


def relu(x, dy):
    x = _leaf(x)
    y = functional.relu(x)
    _back(y, dy)
    return _numpy(y=y, dx=x.grad)


def mean(x, dy):
    x = _leaf(x)
    y = x.mean((1, 3))
    _back(y, dy)
    return _numpy(y=y, dx=x.grad)


def linear(x, weights, bias, dy):
    x, weights, bias = _leaf(x), _leaf(weights), _leaf(bias)
    y = functional.linear(x, weights, bias)
    _back(y, dy)
    return _numpy(y=y, dx=x.grad, dweights=weights.grad, dbias=bias.grad)


def loss(logits, labels, weights, smoothing, scale):
    logits, labels = _leaf(logits), torch.tensor(labels, dtype=torch.int64)
    each = functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
    (scale * (torch.tensor(weights) * each).sum()).backward()
    return _numpy(loss=each, hit=(logits.argmax(1) == labels).double(), dlogits=logits.grad)


def _step(kind, w, g, steps, **options):
    w = torch.nn.Parameter(torch.tensor(w, dtype=torch.float64))
    w.grad = torch.tensor(g, dtype=torch.float64)
    optimizer = kind([w], **options)
    for _ in range(steps):
        optimizer.step()
    return _numpy(w=w)


def sgd(w, g, steps, lr, momentum, weight_decay):
    return _step(torch.optim.SGD, w, g, steps, lr=lr, momentum=momentum, weight_decay=weight_decay)


def adamw(w, g, steps, lr, weight_decay):
    return _step(torch.optim.AdamW, w, g, steps, lr=lr, weight_decay=weight_decay)
