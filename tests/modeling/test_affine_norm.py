import torch
from detectron2.layers import Conv2d, FrozenBatchNorm2d
from torch import nn

from ictrack.modeling.backbone.affine_norm import AffineBatchNorm2d, train_norms


def convolution() -> Conv2d:
    conv = Conv2d(2, 3, 1, bias=False, norm=FrozenBatchNorm2d(3))
    for x in (conv.norm.weight, conv.norm.bias, conv.norm.running_mean):
        x.copy_(torch.randn(3))
    conv.norm.running_var.copy_(torch.rand(3) + 0.5)
    return conv


def test_only_factors_and_offsets_of_trained_convolutions_are_trained():
    torch.manual_seed(0)
    model = nn.Sequential(convolution(), convolution().requires_grad_(False))
    model.append(Conv2d(3, 3, 1, norm=nn.GroupNorm(1, 3)))
    model[1] = Conv2d(3, 3, 1, norm=FrozenBatchNorm2d(3)).requires_grad_(False)
    before = {name: x.clone() for name, x in model.state_dict().items()}
    x = torch.randn(4, 2, 5, 5)
    expected = model(x)
    train_norms(model)
    after = model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(x, after[name]) for name, x in before.items())
    assert [type(conv.norm) for conv in model] == [AffineBatchNorm2d, FrozenBatchNorm2d, nn.GroupNorm]
    torch.testing.assert_close(model.train()(x), expected)  # stored statistics, also in training
    model(x).sum().backward()
    assert model[0].norm.weight.grad.abs().sum() > 0 and model[0].norm.bias.grad.abs().sum() > 0
    assert not model[0].norm.running_mean.requires_grad
    assert torch.equal(model[0].norm.running_mean, before["0.norm.running_mean"])


def test_gradient_is_that_of_a_batch_normalization_in_evaluation_mode():
    torch.manual_seed(0)
    ours, plain = AffineBatchNorm2d(3), nn.BatchNorm2d(3).eval()
    plain.running_mean.copy_(torch.randn(3))
    plain.running_var.copy_(torch.rand(3) + 0.5)
    ours.load_state_dict({name: x for name, x in plain.state_dict().items() if not name.endswith("tracked")})
    x, weights = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    for norm in (ours, plain):
        (norm(x) * weights).sum().backward()
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad)
    torch.testing.assert_close(ours.bias.grad, plain.bias.grad)
