import copy

import pytest
import torch
from detectron2.layers import Conv2d, FrozenBatchNorm2d
from torch import nn
from torch.nn import functional as F

from ictrack.modeling.backbone.affine_norm import train_norms
from ictrack.modeling.backbone.folded_norms import FoldedConv2d, fold_frozen_norms


def plain_model() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(
        Conv2d(3, 4, 3, stride=2, padding=1, bias=False, norm=FrozenBatchNorm2d(4), activation=F.relu),
        Conv2d(4, 4, 3, padding=1, groups=2, norm=FrozenBatchNorm2d(4)),
        Conv2d(4, 2, 1, norm=nn.GroupNorm(1, 2)),
    )
    for conv in model[:2]:
        for name, buffer in conv.norm.named_buffers():
            buffer.copy_(torch.rand(4) + 0.5 if name == "running_var" else torch.randn(4))
    return model


def folded_model() -> nn.Sequential:
    model = plain_model()
    fold_frozen_norms(model)
    return model


def test_results_and_names_are_those_of_the_plain_convolutions():
    plain, folded = plain_model(), folded_model()
    assert [type(module) for module in folded] == [FoldedConv2d, FoldedConv2d, Conv2d]
    assert plain.state_dict().keys() == folded.state_dict().keys()
    x = torch.randn(2, 3, 9, 7)
    assert torch.equal(folded(x), plain(x))  # with gradients nothing is folded
    with torch.no_grad():
        torch.testing.assert_close(folded(x), plain(x))
        calls = []
        folded[0].norm.register_forward_pre_hook(lambda *_: calls.append(1))
        folded(x)
    assert not calls


@pytest.mark.parametrize("name", ["0.weight", "0.norm.running_var", "1.norm.bias"])
def test_changed_weights_are_folded_again(name):
    plain, folded = plain_model(), folded_model()
    x = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        folded(x)
        for model in (plain, folded):
            model.state_dict()[name].mul_(1.5)
        torch.testing.assert_close(folded(x), plain(x))
        other = copy.deepcopy(folded)
        other.load_state_dict({key: 2 * value for key, value in folded.state_dict().items()})
        plain.load_state_dict(other.state_dict())
        torch.testing.assert_close(other(x), plain(x))


def test_trained_factors_are_folded_too():
    plain, folded = plain_model(), plain_model()
    train_norms(folded)
    fold_frozen_norms(folded)
    x = torch.randn(1, 3, 8, 8)
    folded(x).sum().backward()
    assert folded[0].norm.weight.grad is not None
    with torch.no_grad():
        torch.testing.assert_close(folded(x), plain(x))


@pytest.mark.parametrize("fused", [False, True])
def test_weights_that_an_optimizer_has_changed(fused):
    model = folded_model()
    x = torch.randn(1, 3, 8, 8)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, fused=fused)
    with torch.no_grad():
        model.eval()(x)
    model.train()(x).sum().backward()
    optimizer.step()
    model.eval()
    expected = model(x)
    with torch.no_grad():
        torch.testing.assert_close(model(x), expected)
