"""The whole evaluation: every score of every group of operators, the scorecard and its tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Int

from spinlock import runtime, workers
from spinlock.evaluation import agent as agent_scores
from spinlock.evaluation import (
    codespace,
    cost,
    emulation,
    ensembles,
    lexicon,
    scorecard,
    symbols,
    tables,
    views,
    vocabulary,
)
from spinlock.evaluation.codes import Fit
from spinlock.evaluation.config import Config
from spinlock.evaluation.consistency import Sources
from spinlock.evaluation.emulation import Emulation, Judge
from spinlock.evaluation.intervals import Bootstrap, curve
from spinlock.evaluation.semantics import Semantics, semantics
from spinlock.evaluation.vocabulary import Vocabulary

Metrics = dict[str, float | int | None]
ALL = "all"  # the "policy" of all operators together


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that came out."""

    metrics: Metrics
    scorecard: list[scorecard.Row]
    error_curves: list[dict[str, object]]
    tables: dict[str, Sequence[Mapping[str, object]]]  # by the name of their file
    vocabulary: Vocabulary
    semantics: Semantics
    emulation: Emulation
    text: str  # the scorecard, for people


class Evaluation:
    """The evaluation of some sources under a config; see `run`."""

    def __init__(self, sources: Sources, config: Config, start: workers.Run = workers.here) -> None:
        self.sources, self.config, self.start = sources, config, start
        seed = sources.operators.seed
        self.how = Bootstrap(seed, config.num_bootstraps, config.min_operators)
        self.pairs = replace(self.how, num_resamples=config.num_pair_bootstraps)
        self.groups = {"": "test", "val/": "validation"} | {
            f"held_out/{name}/": name for name in sources.operators.held_out_groups
        }
        self.policies = sorted(set(self._own_policies()))

    def _own_policies(self) -> list[str]:
        """The update policy of each operator."""
        return [theta.update_policy for theta in self.sources.operators.theta]

    def run(self) -> Report:
        """Everything: rollouts start first, since what scores the tokenizer needs few of them."""
        emulations, again, ensembled = self._emulations(), self._again(), self._ensembles()
        fit = Fit(self.how.seed, "evaluate", self.config.num_init)
        cleaned, train = self.sources.cleaned, self.sources.cleaned.rows("train")
        spent = self._cost()
        described = vocabulary.describe(
            self.sources.tokenizer, cleaned.aggregated, train, fit, self.sources.further
        )
        found = lexicon.findings(self._lexicon(described, dict(again)))
        emulated = emulation.join(list(emulations))
        metrics = {
            **found.metrics,
            **self._agent(emulated),
            **self._symbols(emulated, described.isolated),
            **self._uncertainty(ensembled),
            **spent,
        }
        rows = scorecard.scorecard(metrics, self.config.headline_steps, self.policies)
        error_curves = self.error_curves(emulated)
        return Report(
            metrics=metrics,
            scorecard=rows,
            error_curves=error_curves,
            tables={
                **found.tables,
                "scores": tables.scores(metrics),
                "error_curves": tables.wide(error_curves, ALL),
                "error_curves_by_policy": error_curves,
            },
            vocabulary=described,
            semantics=semantics(described.target.take(train), len(described.layout.categories)),
            emulation=emulated,
            text=scorecard.text(rows, metrics, self.config.headline_steps),
        )

    def _lexicon(self, described: Vocabulary, again: Mapping[int, views.Tokens]) -> lexicon.Lexicon:
        """What the tokenizer's half is made of."""
        return lexicon.Lexicon(
            sources=self.sources,
            vocabulary=described,
            config=self.config,
            groups=self.groups,
            how=self.how,
            pairs=self.pairs,
            again=again,
        )

    def _again(self) -> Iterator[tuple[int, views.Tokens]]:
        """Tokens of the first test and validation operators from another u0 with other noise."""
        sources, count = self.sources, self.config.num_identity_operators
        groups = [self.groups[prefix] for prefix in (lexicon.TEST, lexicon.VALIDATION)]
        rows = np.concatenate([sources.cleaned.rows(group)[:count] for group in groups])
        return views.tokens_again(
            sources.operators, sources.index, sources.tokenizer, rows, self.start
        )

    def _emulations(self) -> Iterator[Emulation]:
        """Of all operators outside training, batch by batch."""
        operators, index = self.sources.operators, self.sources.index
        rows = np.unique(np.concatenate([operators.rows(name) for name in self.groups.values()]))
        train = self.sources.cleaned.rows("train")[: self.config.num_mean_operators]
        steps = [s for s in self.config.headline_steps if s <= index.steps]
        judge = Judge(
            index=index,
            agent=self.sources.agent,
            tokenizer=self.sources.tokenizer,
            train_mean=emulation.mean_trajectory(operators, index, train),
            shown_steps=tuple(steps),
        )
        batches = emulation.batches(self.sources.agent, operators, rows, self.config.batch_size)
        jobs = [partial(emulation.emulate, judge, batch) for batch in batches]
        return runtime.progress(self.start(jobs), len(jobs), "agent")

    def _agent(self, emulated: Emulation) -> Metrics:
        metrics: Metrics = {}
        for prefix, name in self.groups.items():
            for policy in (ALL, *self.policies):
                place = f"{prefix}noa/" if policy == ALL else f"{prefix}noa/{policy}/"
                curves = self.curves(emulated, name, policy)
                found = agent_scores.metrics(
                    curves, self.config, self.how, same_start=not self.sources.agent.context_steps
                )
                metrics |= _under(place, found)
        return metrics

    def curves(
        self, emulated: Emulation, group: str, policy: str
    ) -> Mapping[str, agent_scores.Curves]:
        """Curves of the operators of a group that have a policy, by predictor."""
        places = self.places(emulated, group, policy)
        return {name: found.take(places) for name, found in emulated.curves.items()}

    def places(self, emulated: Emulation, group: str, policy: str) -> Int[np.ndarray, " n"]:
        """Positions among the emulated operators of those of a group that have a policy."""
        chosen = np.isin(emulated.rows, self.sources.operators.rows(group))
        own = np.array(self._own_policies())[emulated.rows]
        return np.flatnonzero(chosen & ((own == policy) | (policy == ALL)))

    def _symbols(self, emulated: Emulation, isolated: np.ndarray) -> Metrics:
        truth = symbols.truth(self.sources.tokenizer, self.sources.cleaned)
        taught = self.sources.cleaned.rows("train")
        policies = np.array([self.policies.index(p) for p in self._own_policies()])
        fit = Fit(self.how.seed, "evaluate", self.config.num_init)
        space = codespace.fit(self.sources.tokenizer, truth[0][taught], isolated, fit)
        metrics: Metrics = {}
        for prefix, name in self.groups.items():
            rows = self.sources.cleaned.rows(name)
            places = np.flatnonzero(np.isin(emulated.rows, rows))
            predicted = {key: tokens[places] for key, tokens in emulated.tokens.items()}
            told = symbols.commonest(truth[0], policies, taught, emulated.rows[places])
            predicted["policy"] = told
            real = [tokens[emulated.rows[places]] for tokens in truth]
            found = symbols.metrics(predicted, real, isolated, self.how)
            found |= codespace.metrics(space, symbols.beside(predicted, real), real[0], self.how)
            metrics |= _under(f"{prefix}noa/", found)
        return metrics

    def _ensembles(self) -> dict[str, Iterator[ensembles.Scores]]:
        """Of the first operators of the test and of the validation split, by prefix."""
        operators, index, config = self.sources.operators, self.sources.index, self.config
        found = {}
        for prefix in (lexicon.TEST, lexicon.VALIDATION):
            rows = operators.rows(self.groups[prefix])[: config.num_ensemble_operators]
            given = self.sources.agent, index, config.ensemble_members
            jobs = [partial(ensembles.score, *given, operators.take([row])) for row in rows]
            found[prefix] = runtime.progress(self.start(jobs), len(jobs), "ensembles")
        return found

    def _uncertainty(self, ensembled: Mapping[str, Iterator[ensembles.Scores]]) -> Metrics:
        metrics: Metrics = {}
        for prefix, found in ensembled.items():
            scores = ensembles.metrics(list(found), self.config.headline_steps, self.how)
            metrics |= _under(f"{prefix}noa/", scores)
        return metrics

    def _cost(self) -> Metrics:
        operators = self.sources.operators
        agent = cost.agent_flops(self.sources.agent, operators)
        test = operators.rows("test")
        own = [cost.operator_flops(operators, row) for row in test]
        parameters = sum(p.numel() for p in self.sources.agent.parameters())
        return {
            "noa/parameters": parameters,
            "noa/step_flops": agent,
            "noa/step_flops_operator": float(np.median(own)) if own else None,
            "noa/step_flops_ratio": agent / float(np.median(own)) if own else None,
            "noa/step_flops_cheaper": float(np.mean(np.array(own) < agent)) if own else None,
        }

    def error_curves(self, emulated: Emulation) -> list[dict[str, object]]:
        """Rows of `error_curves.csv`: median VRMSE by step on the test split."""
        rows: list[dict[str, object]] = []
        for policy in (ALL, *self.policies):
            for predictor, found in self.curves(emulated, "test", policy).items():
                centre, low, high, _ = curve(found.vrmse, "median", self.how)
                key = {"predictor": predictor, "policy": policy}
                rows += [
                    {"step": step, **key, **_known(median=m, low=lower, high=upper)}
                    for step, (m, lower, upper) in enumerate(zip(centre, low, high, strict=True), 1)
                ]
        return rows


def _known(**values: float) -> dict[str, object]:
    """Cells of a table; empty where there is no number."""
    return {name: float(value) if np.isfinite(value) else "" for name, value in values.items()}


def _under(prefix: str, metrics: Metrics) -> Metrics:
    return {f"{prefix}{name}": value for name, value in metrics.items()}
