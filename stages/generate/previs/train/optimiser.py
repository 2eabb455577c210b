"""Muon for matrices and convolutions (momentum, then the nearest orthogonal matrix), AdamW for everything else.

On both models here Muon reached a given loss in about half the steps of AdamW.
"""
import torch
import torch.distributed as dist


class FlatGradients:
    """All gradients in one buffer, so that one all-reduce averages them over the devices."""

    def __init__(self, params):
        self.flat = torch.zeros(sum(p.numel() for p in params), device=params[0].device)
        at = 0
        for p in params:
            p.grad = self.flat[at:at + p.numel()].view(p.shape)
            at += p.numel()
        self.world = dist.get_world_size() if dist.is_initialized() else 1

    def zero(self):
        self.flat.zero_()

    def share(self, limit=1.0):
        """Averages over the devices, and clips."""
        if self.world > 1:
            dist.all_reduce(self.flat, op=dist.ReduceOp.AVG if self.flat.is_cuda else dist.ReduceOp.SUM)
            if not self.flat.is_cuda:
                self.flat /= self.world
        self.flat *= (limit / self.flat.norm().clamp_min(limit))

    def agreed(self, *clocks):
        """The clocks' averages over the devices, so that all decide alike. Waits for the device: not for every step."""
        if self.world == 1:
            return clocks
        t = torch.tensor(clocks, device=self.flat.device, dtype=torch.float64)
        dist.all_reduce(t)
        return (t / self.world).tolist()


class Replay:
    """A function of tensors of fixed shapes, recorded once as a CUDA graph and replayed: where launches cost more than
    the sums. It must read nothing else that moves in memory. Elsewhere than on CUDA the function itself."""

    def __init__(self, function, *inputs, warm=3):
        self.function, self.inputs, self.graph = function, [x.clone() for x in inputs], None
        if not any(x.is_cuda for x in inputs):
            return
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(warm):
                function(*self.inputs)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
            self.out = function(*self.inputs)

    def __call__(self, *inputs):
        if not self.graph:
            return self.function(*inputs)
        for mine, given in zip(self.inputs, inputs):
            mine.copy_(given)
        self.graph.replay()
        return self.out


def orthogonal(m, steps=5):
    """Newton-Schulz iteration on a batch of matrices (n, rows, cols)."""
    x = m.to(torch.bfloat16) if m.is_cuda else m
    flip = x.shape[1] > x.shape[2]
    if flip:
        x = x.transpose(1, 2)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        g = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * g + 2.0315 * g @ g) @ x
    return (x.transpose(1, 2) if flip else x).to(m.dtype)


class Muon:
    def __init__(self, params, momentum=0.95):
        self.groups = {}
        for p in params:
            self.groups.setdefault((p.shape[0], p[0].numel()), []).append(p)
        self.state = {s: torch.zeros(len(ps), *s, device=ps[0].device) for s, ps in self.groups.items()}
        self.momentum = momentum

    @torch.no_grad()
    def step(self, lr, decay=0.01):
        """lr: a number or a tensor of one."""
        for shape, params in self.groups.items():
            grads = torch.stack([p.grad.view(shape) for p in params])
            buf = self.state[shape]
            buf.lerp_(grads, 1 - self.momentum)
            update = orthogonal(grads.lerp(buf, self.momentum)) * (0.2 * max(shape) ** 0.5)   # the size of an Adam step
            torch._foreach_mul_(params, 1 - lr * decay)
            torch._foreach_sub_(params, [u.view(p.shape) for p, u in zip(params, (update * lr).unbind())])
