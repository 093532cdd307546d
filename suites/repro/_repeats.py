"""How many different results a call gives when it is repeated."""

import torch

TIMES = 20


def distinct(call, times=TIMES):
    """The number of different outputs, bit for bit, as a tensor."""
    found = {tuple(t.detach().cpu().numpy().tobytes() for t in call()) for _ in range(times)}
    return torch.tensor(float(len(found)))


def with_gradients(call, *inputs):
    """Output and gradients of the floating inputs, for a fixed random cotangent."""
    with torch.enable_grad():
        leaves = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in inputs]
        out = call(*leaves)
        wanted = [x for x in leaves if x.requires_grad]
        if not (out.requires_grad and wanted):
            return (out,)
        cotangent = torch.linspace(-1, 2, out.numel(), device=out.device, dtype=out.dtype).reshape(out.shape)
        return (out, *torch.autograd.grad(out, wanted, cotangent))


def one(*_):
    """What repeatable means: every call gives the same bits."""
    return torch.ones(())
