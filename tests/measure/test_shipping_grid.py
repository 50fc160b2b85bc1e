"""What more/adapters_and_shipping reads is measured as its words say."""

import copy

import pytest
import torch
from torch import nn

from helpers.networks.fold import folded
from helpers.training import strategies
from measure import forms, shipping
from tests.conftest import make_dataset


@pytest.fixture(scope="module")
def frozen():
    """The pretrained network at rest, with a new head for two classes of gray images."""
    return strategies.build(strategies.feature_extraction(), n_classes=2, channels=1).eval()


@pytest.fixture
def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (4, 1, 64, 64), generator=generator, dtype=torch.uint8)


def test_adapters_change_nothing_at_first_and_nothing_once_they_are_off(frozen, images):
    model = copy.deepcopy(frozen)
    with torch.no_grad():
        before = model(images)
        shipping.adapt(model, rank=2)
        assert torch.equal(model(images), before)
        for module in model.modules():
            if isinstance(module, shipping.LowRank):
                nn.init.normal_(module.up.weight)
        assert not torch.allclose(model(images), before, atol=1e-2)
        shipping.take_off(model)
        assert torch.equal(model(images), before)


def test_head_and_adapters_train_and_everything_else_rests(frozen):
    data, model = make_dataset(), copy.deepcopy(frozen)
    shipping.adapt(model, rank=2)
    before = copy.deepcopy(model.state_dict())
    shipping.train_adapters(model, data, rate=1e-2, seed=0)
    moved = {n for n, v in model.state_dict().items() if not torch.equal(v, before[n])}
    wanted = {n for n, p in model.named_parameters() if p.requires_grad}
    assert moved == wanted
    assert all("up" in n or "down" in n or "classifier" in n for n in moved)


def test_the_small_network_is_the_first_stages_and_trains_whole(images):
    small = shipping.small_net(n_classes=2, seed=0)
    assert small.part_names == ("stem", "stage1", "stage2", "stage3", "head")
    assert small(images).shape == (4, 2)
    numbers = sum(p.numel() for p in small.parameters())
    assert strategies.count_trainable(small) == numbers < 60_000


@pytest.mark.parametrize("by_channel", [False, True])
def test_a_weight_in_int8_is_off_by_half_a_step_at_most(by_channel):
    weight = torch.randn(6, 5, 3, 3) * torch.logspace(-3, 0, 6)[:, None, None, None]
    whole, scale = forms.rounded(weight, by_channel=by_channel)
    assert whole.dtype == torch.int8
    assert scale.numel() == (6 if by_channel else 1)
    assert ((whole * scale - weight).abs() <= scale / 2 + 1e-7).all()


def test_the_int8_file_is_a_quarter_and_the_network_handed_in_stays(frozen, images):
    quick = folded(frozen)
    before = copy.deepcopy(quick.state_dict())
    rough, n_bytes = forms.in_int8(quick, by_channel=False)
    assert n_bytes < 0.3 * forms.file_bytes(quick.net.state_dict())
    assert all(torch.equal(v, before[n]) for n, v in quick.state_dict().items())
    with torch.no_grad():
        assert not torch.equal(rough(images), quick(images))


def test_a_gap_and_a_share_say_what_was_compared():
    data = make_dataset()
    right = torch.eye(2)[torch.from_numpy(data.test.labels)].numpy()
    assert forms.gap(data, right[:, ::-1], right)["gap"] == 1
    assert forms.kept(right[:, 0] == right[:, 0])["kept"] == 1


def test_onnx_gives_the_answers_of_torch(frozen, images, tmp_path):
    pytest.importorskip("onnxscript", reason="the exporter of shipping.csv; extra bench has it")
    float_file, int8_file = forms.export(frozen, images, tmp_path)
    answers = forms.onnx_session(float_file)(images.numpy())
    assert answers == pytest.approx(forms.in_torch(frozen)(images.numpy()), abs=1e-3)
    assert int8_file.stat().st_size < 0.4 * float_file.stat().st_size
