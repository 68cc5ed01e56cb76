"""The layers by their formulas, in float64 NumPy: forward, and the gradient of sum(y * dy)
written down by hand. Nothing here was taken from the C code."""
import numpy as np


def _windows(x, r, s, stride, pad):
    """(N, C, H, W) -> (N, C, OH, OW, r, s): what each place of a filter looks at."""
    x = np.pad(x, ((0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])))
    view = np.lib.stride_tricks.sliding_window_view(x, (r, s), (2, 3))
    return view[:, :, ::stride[0], ::stride[1]]


def conv(x, filters, dy, stride, pad):
    r, s = filters.shape[2:]
    windows = _windows(x, r, s, stride, pad)
    y = np.einsum("ncijrs,kcrs->nkij", windows, filters)
    dfilters = np.einsum("ncijrs,nkij->kcrs", windows, dy)
    spread = np.zeros((*x.shape[:2], x.shape[2] + 2 * pad[0], x.shape[3] + 2 * pad[1]))
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            a, b = i * stride[0], j * stride[1]
            spread[:, :, a:a + r, b:b + s] += np.einsum("nk,kcrs->ncrs", dy[:, :, i, j], filters)
    dx = spread[:, :, pad[0]:pad[0] + x.shape[2], pad[1]:pad[1] + x.shape[3]]
    return dict(y=y, dx=dx, dfilters=dfilters)


def norm(x, gamma, beta, dy, groups, eps):
    n, c, m = x.shape
    grouped = x.reshape(n, groups, -1)
    mean, variance = grouped.mean(2, keepdims=True), grouped.var(2, keepdims=True)
    xhat = ((grouped - mean) / np.sqrt(variance + eps)).reshape(n, c, m)
    y = xhat * gamma[:, None] + beta[:, None]
    d = (dy * gamma[:, None]).reshape(n, groups, -1)
    h = xhat.reshape(n, groups, -1)
    dx = (d - d.mean(2, keepdims=True) - h * (d * h).mean(2, keepdims=True)) / np.sqrt(variance + eps)
    return dict(y=y, dx=dx.reshape(n, c, m), dgamma=(dy * xhat).sum((0, 2)), dbeta=dy.sum((0, 2)))


def relu(x, dy):
    return dict(y=np.maximum(x, 0), dx=dy * (x > 0))


def mean(x, dy):
    n, t, c, m = x.shape
    return dict(y=x.mean((1, 3)), dx=np.broadcast_to(dy[:, None, :, None] / (t * m), x.shape))


def linear(x, weights, bias, dy):
    return dict(y=x @ weights.T + bias, dx=dy @ weights, dweights=dy.T @ x, dbias=dy.sum(0))


def loss(logits, labels, weights, smoothing, scale):
    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    classes = logits.shape[1]
    target = np.full(logits.shape, smoothing / classes)
    target[np.arange(len(labels)), labels] += 1 - smoothing
    return dict(loss=-(target * log_p).sum(1), hit=(logits.argmax(1) == labels).astype(float),
                dlogits=weights[:, None] * scale * (np.exp(log_p) - target))


def sgd(w, g, steps, lr, momentum, weight_decay):
    w, v = w.copy(), 0
    for _ in range(steps):
        v = momentum * v + g + weight_decay * w
        w -= lr * v
    return dict(w=w)


def adamw(w, g, steps, lr, weight_decay):
    w, m, v = w.copy(), 0, 0
    for i in range(1, steps + 1):
        w *= 1 - lr * weight_decay
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w -= lr * (m / (1 - 0.9 ** i)) / (np.sqrt(v / (1 - 0.999 ** i)) + 1e-8)
    return dict(w=w)


def model(arrays, frames, mfcc):
    """Logits of the whole model: arrays of a checkpoint by name, frames uint8 (N, T, H, W, 3),
    mfcc (N, n_mfcc, columns)."""
    def stack(name, x, stride, pad):
        i = 0
        while f"{name}.{i}.conv.weight" in arrays:
            filters = np.float64(arrays[f"{name}.{i}.conv.weight"])
            k, groups = len(filters), 8
            while groups > 1 and (k % groups or k < 4 * groups):
                groups //= 2
            windows = _windows(x, *filters.shape[2:], stride, pad)
            x = np.einsum("ncijrs,kcrs->nkij", windows, filters)
            flat = x.reshape(len(x), k, -1)
            flat = norm(flat, np.float64(arrays[f"{name}.{i}.norm.weight"]),
                        np.float64(arrays[f"{name}.{i}.norm.bias"]), np.zeros_like(flat), groups, 1e-5)["y"]
            x = np.maximum(flat, 0).reshape(x.shape)
            i += 1
        return x
    features = []
    if "video.0.conv.weight" in arrays:
        n, t = frames.shape[:2]
        x = (frames / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        x = stack("video", x.reshape(n * t, *frames.shape[2:]).transpose(0, 3, 1, 2), (2, 2), (1, 1))
        features.append(x.reshape(n, t, *x.shape[1:]).mean((1, 3, 4)))
    if "audio.0.conv.weight" in arrays:
        x = (mfcc - mfcc.mean(2, keepdims=True)) / (mfcc.std(2, keepdims=True) + 1e-3)
        features.append(stack("audio", x[:, :, None, :], (1, 2), (0, 2)).mean((2, 3)))
    return np.concatenate(features, 1) @ np.float64(arrays["linear.weight"]).T + arrays["linear.bias"]
