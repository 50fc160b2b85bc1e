"""One contender, one task, one run, in a process of its own.

``python -m benchmarks.contenders ours feature_extraction`` prints a line of JSON: the seconds
from data on disk to a trained and validated model (imports and building not counted), and the
validation AUC of the result.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings

import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T

from benchmarks import setting
from helpers.networks import backbones
from helpers.training import loop, predict, strategies
from helpers.training.recipe import Recipe

TASKS = {
    "feature_extraction": strategies.feature_extraction(),
    "partial_finetune": strategies.partial_finetune(last=2),
    "full_finetune": strategies.full_finetune(),
}


def ours(task: str) -> tuple[float, float]:
    """Run the course's own loop; its cache is whatever COURSE_CACHE holds."""
    strategy = TASKS[task]
    model = strategies.build(strategy, n_classes=2, channels=1, seed=setting.SEED)
    recipe = Recipe(epochs=setting.EPOCHS, batch_size=setting.BATCH)
    start = setting.clock()
    data = setting.arrays()
    run = loop.fit(model, data, strategy, recipe, seed=setting.SEED)
    seconds = setting.clock() - start
    return seconds, predict.evaluate(run.model, data.val).auc


class ImageFiles(Dataset):
    """Images read from disk and transformed whenever they are asked for, as is usual."""

    def __init__(self, items, transform) -> None:
        self.items, self.transform = items, transform

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, position: int):
        from PIL import Image

        path, label = self.items[position]
        with Image.open(path) as image:
            return self.transform(image), label


def loaders(channels: int, mean: float, std: float) -> tuple[DataLoader, DataLoader]:
    """Return the usual loaders, without augmentation, so that all learn from the same pixels."""
    transform = T.Compose([
        T.Grayscale(channels), T.Resize((setting.SIZE, setting.SIZE)), T.ToTensor(),
        T.Normalize([mean] * channels, [std] * channels),
    ])  # fmt: skip
    found = setting.files()
    train = DataLoader(ImageFiles(found.train, transform), setting.BATCH, shuffle=True)
    return train, DataLoader(ImageFiles(found.val, transform), setting.BATCH)


def plain_net(channels: int) -> tuple[nn.Module, backbones.Backbone]:
    """Return the bare network (images normalised outside), and the view that knows its parts."""
    view = backbones.load("efficientnet_lite0", channels=channels, gray="mean")
    return view.net.to(memory_format=torch.contiguous_format), view


def lesson(task: str) -> tuple[float, float]:
    """Run the source lesson's set-up and loop: mean stem, its heads, its rates, its order.

    Only what the net forces is changed: `classifier` for `fc`, stages for layer1..4.
    """
    torch.manual_seed(setting.SEED)
    net, view = plain_net(channels=1)
    if task != "full_finetune":
        net.requires_grad_(False)
    if task == "partial_finetune":
        for stage in view.stages[-2:]:
            stage.requires_grad_(True)
    net.classifier = (
        backbones.mlp_head(1280, 2) if task == "feature_extraction" else nn.Linear(1280, 2)
    )
    body = [p for name, p in net.named_parameters() if "classifier" not in name]
    optimizer = torch.optim.AdamW([
        {"params": body, "lr": 1e-4, "weight_decay": 1e-4},
        {"params": net.classifier.parameters(), "lr": 1e-3, "weight_decay": 1e-4},
    ])  # fmt: skip
    start = setting.clock()
    train_loader, val_loader = loaders(1, 0.5, 0.5)
    scores = _lesson_loop(net, optimizer, train_loader, val_loader)
    return setting.clock() - start, scores


def _lesson_loop(net, optimizer, train_loader, val_loader) -> float:
    criterion = nn.CrossEntropyLoss()
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=setting.EPOCHS)
    for _ in range(setting.EPOCHS):
        net.train()
        for images, labels in train_loader:
            optimizer.zero_grad()
            criterion(net(images), labels).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
        net.eval()
        scores, truth = [], []
        with torch.no_grad():
            for images, labels in val_loader:
                scores += net(images).double().softmax(1)[:, 1].tolist()
                truth += labels.tolist()
        scheduler.step()
    return roc_auc_score(truth, scores)


def fastai(task: str) -> tuple[float, float]:
    """Run fastai's `fine_tune`: an epoch with the body frozen, then all of it."""
    import fastai.vision.all as fv

    torch.manual_seed(setting.SEED)
    net, view = plain_net(channels=3)
    net.classifier = nn.Linear(1280, 2)
    body = [*view.stem, *(stage for stage in view.stages)]
    start = setting.clock()
    found = setting.files()
    label_of = {str(path): label for path, label in (*found.train, *found.val)}
    validation = {str(path) for path, _ in found.val}
    block = fv.DataBlock(
        blocks=(fv.ImageBlock, fv.CategoryBlock(vocab=[0, 1])),
        get_items=lambda _: [path for path, _ in (*found.train, *found.val)],
        get_y=lambda path: label_of[str(path)],
        splitter=fv.FuncSplitter(lambda path: str(path) in validation),
        item_tfms=fv.Resize(setting.SIZE, method="squish"),
        batch_tfms=[fv.Normalize.from_stats([0.5] * 3, [0.5] * 3)],
    )
    dls = block.dataloaders(".", bs=setting.BATCH, num_workers=0)
    learner = fv.Learner(
        dls, net, loss_func=nn.CrossEntropyLoss(), metrics=fv.RocAucBinary(),
        splitter=lambda _: [fv.params(nn.ModuleList(body)), fv.params(net.classifier)],
    )  # fmt: skip
    learner.fine_tune(setting.EPOCHS - 1)
    return setting.clock() - start, float(learner.recorder.values[-1][-1])


def lightning(task: str) -> tuple[float, float]:
    """Run Lightning's Trainer as its documentation shows it."""
    import lightning as L

    torch.manual_seed(setting.SEED)
    net, _ = plain_net(channels=1)
    net.classifier = nn.Linear(1280, 2)

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.seen = net, []

        def training_step(self, batch, _):
            return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        def validation_step(self, batch, _):
            self.seen.append((self.net(batch[0]).double().softmax(1)[:, 1], batch[1]))

        def on_validation_epoch_end(self):
            scores, truth = (torch.cat(part) for part in zip(*self.seen, strict=True))
            self.auc = roc_auc_score(truth, scores)
            self.seen.clear()

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), lr=3e-4)

    start = setting.clock()
    module = Module()
    trainer = L.Trainer(
        max_epochs=setting.EPOCHS, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        gradient_clip_val=1.0,
    )  # fmt: skip
    trainer.fit(module, *loaders(1, 0.5, 0.5))
    return setting.clock() - start, module.auc


CONTENDERS = {f.__name__: f for f in (ours, lesson, fastai, lightning)}


def main() -> None:
    """Run one contender on one task and print its seconds and AUC."""
    name, task = sys.argv[1:3]
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(io.StringIO()):
        seconds, auc = CONTENDERS[name](task)
    print(json.dumps({"seconds": seconds, "auc": auc}))


if __name__ == "__main__":
    main()
