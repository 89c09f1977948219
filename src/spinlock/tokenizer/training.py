"""Training the tokenizer: a generator of scores, resumable to the bit."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor, nn

from spinlock import randomness, runtime
from spinlock.artifacts import load_checkpoint, save_checkpoint
from spinlock.refusals import Refusal
from spinlock.tokenizer import initialization, objective, readout, scores
from spinlock.tokenizer.examples import Examples
from spinlock.tokenizer.model import Tokenizer
from spinlock.tokenizer.quantizer import ResidualQuantizer

KIND = "train_vqvae"
SAVE_EVERY = 10  # epochs between two checkpoints of a run; how often cannot change a result

SLOW = ("encoder.", "quantizer.")  # what moves the latents under the codes
CODES = "quantizer.codes_"

Record = dict[str, float]


def fit(
    model: Tokenizer, train: Examples, validation: Examples, seed: int, folder: Path | None
) -> Iterator[Record]:
    """Train; yield the scores of each epoch, those of a resumed run's past first.

    Scores of tokens begin when there are tokens.

    When the generator ends, the model has the weights of its best epoch, by `scores.cost` on
    validation, with the correction of `readout.fit`, and the statistics of its training latents.

    Args:
        model: a tokenizer, its weights of no account.
        train: every view of the training operators.
        validation: the aggregated view of the validation operators; they choose the epoch and
            when to stop, nothing else.
        seed: root seed.
        folder: where to keep the state of the run and find it again; None: nowhere.

    Raises:
        Refusal: no validation operators, an operator has more rows than a step may have, the CNN
            leaves nothing of u0, or a loss or a score that is not finite.
    """
    model.config.check_data(train.views, train.inputs.fields.shape[-1])
    if not validation.num_operators:
        raise Refusal("train_vqvae: no valid validation operator to choose the epoch by")
    run = _Run(model, train, validation, model.config.own_seed(seed))
    path = folder / "run.pt" if folder else None
    if path and path.is_file():
        run.restore(load_checkpoint(path, KIND))
        runtime.note(f"train-vqvae: goes on after epoch {len(run.history)}")
    else:
        run.start()
    yield from list(run.history)
    while not run.finished:
        yield run.epoch()
        if path and len(run.history) % SAVE_EVERY == 0:
            save_checkpoint(path, KIND, run.state())
    run.finish()


class _Run:
    """A training run between two epochs."""

    def __init__(self, model: Tokenizer, train: Examples, validation: Examples, seed: int) -> None:
        self.model, self.train, self.validation, self.seed = model, train, validation, seed
        self.config = model.config
        self.history: list[Record] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0  # of the history, from 1; 0 = none yet
        self.optimizer = _optimizer(model)

    @property
    def finished(self) -> bool:
        """All epochs done, or none of the last `patience` was better."""
        done = len(self.history)
        if done < self.config.warmup_epochs + 1:
            return False
        patient = done - self.best_epoch < self.config.patience
        return done == self.config.warmup_epochs + self.config.epochs or not patient

    @property
    def _steps(self) -> int:
        """Steps of an epoch, the fewest of at most `batch_size` rows."""
        return math.ceil(self.train.num_operators / (self.config.batch_size // self.train.views))

    def start(self) -> None:
        """Draw the weights, and start the affine paths from principal axes."""
        initialization.draw(self.model, self.seed)
        inputs = self.train.inputs
        aggregated = slice(None, None, self.train.views)
        initialization.start_from_principal_axes(
            self.model, inputs.cells[aggregated], inputs.exists[aggregated]
        )

    def epoch(self) -> Record:
        """One pass over the training operators; its scores."""
        number = len(self.history)
        quantized = number >= self.config.warmup_epochs
        if number == self.config.warmup_epochs:
            self._start_codes()
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = group["top"] * self._share(number)
        rng = randomness.stream(self.seed, "tokenizer/epoch", step=number)
        order = torch.from_numpy(rng.permutation(self.train.num_operators))
        used: list[Tensor] = []
        for operators in order.tensor_split(self._steps):
            batch = self.train.jittered(operators, rng, self.config.jitter)
            self._step(batch, rng, quantized, used)
        record = self._scores(quantized, used)
        self.history.append(record)
        if quantized and (not self.best_epoch or self._better(record)):
            self.best_epoch = number + 1
            self.best = {k: v.clone() for k, v in self.model.state_dict().items()}
        return record

    def _share(self, number: int) -> float:
        """Share of the learning rate in an epoch: half a cosine wave over all quantized epochs."""
        done = max(0, number - self.config.warmup_epochs) / self.config.epochs
        return (1 + math.cos(math.pi * done)) / 2

    def _better(self, record: Record) -> bool:
        best, symbols = self.history[self.best_epoch - 1], self.config.losses.symbols
        return scores.cost(record, symbols) < scores.cost(best, symbols)

    @torch.no_grad()
    def _start_codes(self) -> None:
        """K-means on all rows as they are, and as they are jittered."""
        rng = randomness.stream(self.seed, "tokenizer/start")
        everyone = torch.arange(self.train.num_operators)
        copies = initialization.JITTERED_COPIES if self.config.jitter else 0
        drawn = (self.train.jittered(everyone, rng, self.config.jitter) for _ in range(copies))
        sets = [self.train, *drawn]
        latents = torch.cat([self.model.encoder(part.inputs) for part in sets])
        weights = self.train.groups.repeat(len(sets), 1)
        rows = len(self.train.cells) / self._steps
        initialization.start_codes(self.model, latents, weights, rows, self.seed)

    def _step(self, batch: Examples, rng: np.random.Generator, quantized: bool, used: list) -> None:
        size = (2, self.config.losses.topographic_pairs)
        pairs = torch.from_numpy(rng.integers(len(batch.cells), size=size))
        made = objective.forward(self.model, batch, quantized)
        found = objective.terms(self.model, batch, pairs, made)
        loss = objective.total(found, self.config.losses)
        if not loss.isfinite():
            values = ", ".join(f"{name} {value.item():g}" for name, value in found.items())
            raise Refusal(f"train_vqvae: epoch {len(self.history) + 1}: loss not finite: {values}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        if codes := made.codes:
            quantizer = self.model.quantizer
            if isinstance(quantizer, ResidualQuantizer):
                quantizer.follow(codes, batch.groups, self.config.ema_decay)
                below = self.config.reset_below
                for moved in quantizer.reset(codes, batch.groups, below, rng):
                    _forget(self.optimizer, *moved)
            used.append(quantizer.flat(codes.tokens[:: batch.views]))

    def _scores(self, quantized: bool, used: list[Tensor]) -> Record:
        self.model.eval()
        record = validation_scores(self.model, self.validation, quantized=quantized)
        if used:
            codes = scores.counts(torch.cat(used), self.model.sizes)
            record["utilization"] = scores.utilization(codes)
            record["perplexity"] = scores.perplexity(codes, normalized=False)
        return record

    def finish(self) -> None:
        """Take the best weights, correct what they leave over, store statistics of the latents."""
        self.model.load_state_dict(self.best)
        self.model.eval()
        readout.fit(self.model, self.train, self.seed)
        with torch.no_grad():
            latents = self.model.encoder(self.train.inputs)
            mean, std = _statistics(latents, self.train.groups)
            self.model.latent_mean.copy_(mean)
            self.model.latent_std.copy_(std)

    def state(self) -> dict[str, object]:
        """Everything the rest of the run depends on."""
        return {
            "model": dict(self.model.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "best_epoch": self.best_epoch,
            "history": self.history,
        }

    def restore(self, state: dict) -> None:
        """Continue where `state` was taken."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        self.history = state["history"]


@torch.no_grad()
def validation_scores(model: Tokenizer, examples: Examples, *, quantized: bool) -> Record:
    """val_loss (all losses, weighted), reconstruction, topo_pre, topo_post and topo_tokens.

    The last three are about the first `objective.PAIRED` operators; without quantization
    there are no tokens, hence no topo_tokens.

    Raises:
        Refusal: one of them is not finite.
    """
    inputs, layout = examples.inputs, model.layout
    pairs = torch.combinations(torch.arange(min(examples.num_operators, objective.PAIRED))).T
    made = objective.forward(model, examples, quantized)
    found = objective.terms(model, examples, pairs, made)
    errors = scores.column_errors(made.cells, inputs.cells, inputs.exists, layout)
    few = slice(objective.PAIRED)
    before = scores.cell_distances(inputs.cells[few], inputs.exists[few], layout.weights())
    middle = scores.distances(scores.joint(made.latents[few], layout))
    after = scores.distances(scores.joint(made.read[few], layout))
    record = {
        "val_loss": float(objective.total(found, model.config.losses)),
        "reconstruction": scores.reconstruction(errors),
        "topo_pre": scores.topographic_similarity(before, middle),
        "topo_post": scores.topographic_similarity(middle, after),
    }
    if made.codes:
        symbols = scores.hamming(model.quantizer.flat(made.codes.tokens[few]))
        record["topo_tokens"] = scores.topographic_similarity(before, symbols)
    if not all(map(math.isfinite, record.values())):
        values = ", ".join(f"{name} {value:g}" for name, value in record.items())
        raise Refusal(f"train_vqvae: scores of validation are not finite: {values}")
    return record


def _optimizer(model: Tokenizer) -> torch.optim.Optimizer:
    """AdamW with a group for each learning rate, with and without decay; codes have none.

    Codes that no loss reaches have no gradient, and AdamW leaves them alone.
    """
    config = model.config
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        codes = name.startswith(CODES)
        rate = config.encoder_learning_rate if name.startswith(SLOW) else config.learning_rate
        rate = config.code_learning_rate if codes else rate
        decay = 0.0 if codes or initialization.is_bias(name) else config.weight_decay
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": chosen, "lr": rate, "weight_decay": decay, "top": rate}
            for (rate, decay), chosen in groups.items()
        ],
        fused=True,
    )


def _forget(
    optimizer: torch.optim.Optimizer, parameter: nn.Parameter, entries: Bool[Tensor, "..."]
) -> None:
    """Give some entries of a parameter no momentum, and the mean squared gradient of all.

    AdamW knows no age of single entries: without gradients of their own squared, entries that
    begin late would take steps several times as long as others.
    """
    if state := optimizer.state[parameter]:
        state["exp_avg"][entries] = 0.0
        state["exp_avg_sq"][entries] = state["exp_avg_sq"].mean()


def _statistics(latents: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted mean and standard deviation over rows, [G, E] each; a constant has deviation 1."""
    share = (weights / weights.sum(0).clamp_min(1e-12))[..., None].double()
    mean = (latents.double() * share).sum(0)
    std = ((latents.double() - mean).square() * share).sum(0).sqrt()
    return mean.float(), torch.where(std > 1e-6, std, 1.0).float()
