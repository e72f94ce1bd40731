"""A small training script: logistic regression on two generated clouds of points, in plain Python.

    python -m tablevault_ext.demo.training --epochs 50

It records its loss and marks, with one line, where it may be paused or stopped.
"""

from __future__ import annotations

import argparse
import math
import random

from tablevault_ext import Vault

Point = tuple[float, float, int]


def make_points(count: int, seed: int = 0) -> list[Point]:
    """Two overlapping clouds, of class 0 and class 1."""
    chance = random.Random(seed)  # noqa: S311 - data, not secrets
    return [
        (chance.gauss(2.0 * label, 1.2), chance.gauss(-1.5 * label, 1.2), label)
        for label in (chance.randrange(2) for _ in range(count))
    ]


def train_epoch(weights: list[float], points: list[Point], rate: float) -> tuple[float, float]:
    """One pass of gradient descent; changes the weights, returns (loss, accuracy)."""
    gradient, loss, right = [0.0, 0.0, 0.0], 0.0, 0
    for x, y, label in points:
        chance = 1.0 / (1.0 + math.exp(-(weights[0] + weights[1] * x + weights[2] * y)))
        error = chance - label
        gradient = [gradient[0] + error, gradient[1] + error * x, gradient[2] + error * y]
        loss -= math.log(max(chance if label else 1.0 - chance, 1e-12))
        right += (chance > 0.5) == bool(label)
    for index, slope in enumerate(gradient):
        weights[index] -= rate * slope / len(points)
    return loss / len(points), right / len(points)


def main() -> None:
    """Train, record, and reach a checkpoint after every epoch."""
    parser = argparse.ArgumentParser(description="Train a small model; its loss falls.")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=0.02)
    options = parser.parse_args()

    vault = Vault()
    points, weights = make_points(options.points), [0.0, 0.0, 0.0]
    try:
        for epoch in range(options.epochs):
            loss, accuracy = train_epoch(weights, points, options.rate)
            vault.append_record("loss", {"epoch": epoch, "loss": loss, "accuracy": accuracy})
            print(f"epoch {epoch}: loss {loss:.4f}, accuracy {accuracy:.1%}")
            vault.checkpoint_execution()
    finally:
        print(f"leaving with weights {[round(weight, 3) for weight in weights]}")


if __name__ == "__main__":
    main()
