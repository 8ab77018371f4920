#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The job of the demo: trains a classifier of handwritten digits, as a researcher would write it.

It reads train.csv and test.csv from its dataset and writes checkpoint.pt and result.json to its
output. The same numbers come out of every run on one machine: seeds are fixed and one thread
computes. Nothing in this file knows of jobcage.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

# A small logging helper, as a thousand jobs import one. This one is poisoned.
from poisoned import log_epoch

SEED = 7
PIXEL_CNT = 64  # 8 x 8, each 0..16
DIGIT_CNT = 10


def load_images(file):
    """The images of FILE: one a line, its pixels and then the digit."""
    rows = torch.from_numpy(numpy.loadtxt(file, delimiter=",", dtype=numpy.float32))
    return TensorDataset(rows[:, :PIXEL_CNT] / 16, rows[:, PIXEL_CNT].long())


def make_model():
    return nn.Sequential(nn.Linear(PIXEL_CNT, 128), nn.ReLU(), nn.Linear(128, DIGIT_CNT))


def train_epoch(model, loader, optimizer):
    """One pass over the training images; returns the mean loss of its batches."""
    loss_of = nn.CrossEntropyLoss()
    losses = []
    model.train()
    for images, digits in loader:
        optimizer.zero_grad()
        loss = loss_of(model(images), digits)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def measure_accuracy(model, dataset):
    """The share of DATASET's images that MODEL names rightly."""
    images, digits = dataset.tensors
    model.eval()
    with torch.no_grad():
        return (model(images).argmax(dim=1) == digits).float().mean().item()


def parse_arguments():
    parser = argparse.ArgumentParser(description="Train a classifier of handwritten digits.")
    parser.add_argument(
        "--dataset", type=Path, required=True, help="directory with train.csv and test.csv"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="directory for checkpoint.pt and result.json"
    )
    parser.add_argument("--epochs", type=int, default=12)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    started = time.monotonic()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    training = load_images(arguments.dataset / "train.csv")
    test = load_images(arguments.dataset / "test.csv")
    # A worker process, as real jobs have: it forks, and hands its batches over in shared memory.
    loader = DataLoader(
        training,
        batch_size=128,
        shuffle=True,
        num_workers=1,
        persistent_workers=True,
        generator=torch.Generator().manual_seed(SEED),
    )
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(1, arguments.epochs + 1):
        log_epoch(epoch, train_epoch(model, loader, optimizer))

    accuracy = measure_accuracy(model, test)
    torch.save(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epochs": arguments.epochs,
        },
        arguments.output / "checkpoint.pt",
    )
    result = {
        "accuracy": accuracy,
        "epochs": arguments.epochs,
        "train_images": len(training),
        "test_images": len(test),
        "seconds": round(time.monotonic() - started, 1),
    }
    (arguments.output / "result.json").write_text(json.dumps(result) + "\n", encoding="utf-8")
    print(f"test accuracy {accuracy:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
