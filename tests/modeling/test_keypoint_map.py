"""The keypoint embedding map: shapes of both readings, and where a joint is read."""

import pytest
import torch

from ictrack.modeling.embedding.keypoint_map import KeypointEncoderDecoder, inside_map, sample_joints


@pytest.mark.parametrize(("output_conv", "modules"), [(True, 3), (False, 2)])
def test_shapes_and_number_of_convolutions(output_conv, modules):
    net = KeypointEncoderDecoder(
        in_channels=4, num_heatmaps=3, conv_dim=8, num_groups=4, dim=6, output_conv=output_conv
    )
    assert net(torch.rand(2, 4, 5, 7), torch.rand(2, 3, 10, 14)).shape == (2, 6, 10, 14)
    convolutions = [m for m in net.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.ConvTranspose2d))]
    assert len(convolutions) == modules


def test_heatmaps_are_averaged_to_the_feature():
    """Equal means of 2 x 2 blocks are the same to the network; other means are not."""
    net = KeypointEncoderDecoder(in_channels=1, num_heatmaps=1, conv_dim=4, num_groups=1, dim=2, output_conv=True)
    feature = torch.rand(1, 1, 2, 2)
    peak = torch.zeros(1, 1, 4, 4)
    peak[0, 0, 0, 0] = 1.0
    spread = torch.zeros(1, 1, 4, 4)
    spread[0, 0, :2, :2] = 0.25
    torch.testing.assert_close(net(feature, peak), net(feature, spread))
    assert not torch.allclose(net(feature, peak), net(feature, 0 * peak))


def test_bilinear_reading_by_hand():
    """A map of stride 4 whose values are the x and y of its cells' centers says where it was read."""
    x, y = torch.meshgrid(torch.arange(5) * 4 + 2.0, torch.arange(3) * 4 + 2.0, indexing="xy")
    maps = torch.stack([torch.stack([x, y]), torch.stack([x + 100, y])])
    points = [
        torch.tensor([[[2.0, 2.0], [9.3, 7.1]]]),
        torch.tensor([[[18.0, 10.0], [4.0, 4.0]], [[0.0, 0.0], [20, 6]]]),
    ]
    read = sample_joints(maps, points, 4.0)
    assert read.shape == (3, 2, 2)
    torch.testing.assert_close(read[0], torch.tensor([[2, 2], [9.3, 7.1]]))
    torch.testing.assert_close(read[1], torch.tensor([[118.0, 10.0], [104, 4]]))
    torch.testing.assert_close(read[2], torch.tensor([[102.0, 2.0], [118, 6]]))  # outside the centers: the border's


def test_nobody_is_read_with_a_gradient():
    maps = torch.rand(2, 3, 4, 4, requires_grad=True)
    read = sample_joints(maps, [torch.zeros(0, 5, 2), torch.zeros(0, 5, 2)], 2.0)
    assert read.shape == (0, 5, 3)
    read.sum().backward()
    assert maps.grad is not None


def test_inside():
    points = torch.tensor([[0.0, 0.0], [16.0, 8.0], [16.1, 3.0], [3.0, -0.1]])
    assert inside_map(torch.zeros(1, 1, 2, 4), points, 4.0).tolist() == [True, True, False, False]
