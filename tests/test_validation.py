"""Every check of `spinlock validate` holds for a run of the stages, and fails where it must."""

import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree

import validation_case as case
from spinlock import cli
from spinlock.evaluation import consistency
from spinlock.refusals import Refusal
from spinlock.validation import bytes_of, clean, features, metrics, models, operators, rollouts
from spinlock.validation.validate import LOCKED, READABLE, validate
from validation_case import checkpoint, columns, dataset, flip, listed, put, tree, truncate

CONTENTS = "its contents can be read"
AGGREGATED = "features/summary/aggregated/features"
INITIAL = "features/initial/aggregated/features"
NAN = np.nan


def swap(values):
    values[[0, 1]] = values[[1, 0]]


def scale(factor):
    def change(values):
        values *= factor

    return change


def another(values):
    """The first label becomes the next other one that there is."""
    values[0] = next(value for value in values if value != values[0])


def invert(values):
    values[0] = ~values[0]


def rename(names):
    names[0] = names[1]


def unknown(names):
    names[0] = "summary.temporal.nothing.mean"


def out_of_group(values):
    """A held-out operator goes to the training split."""
    values[np.flatnonzero(values == b"held_out")[0]] = b"train"


def leaked(values):
    """An operator to train on is tested on."""
    values[np.flatnonzero(values == b"train")[0]] = b"test"


def twice(values):
    values[0] = values[1]


def without(split):
    def change(values):
        values[values == split] = b"train"

    return change


def noise(values):
    values[:] = np.random.default_rng(0).normal(size=values.shape)


def weight(content):
    """The first matrix of weights has a NaN."""
    name = next(name for name, value in content["weights"].items() if value.ndim > 1)
    content["weights"][name].view(-1)[0] = NAN


def of_codes(content):
    content["weights"] = {
        n: v * (NAN if "decoder" in n else 1) for n, v in content["weights"].items()
    }


def first(content):
    return next(iter(content["categories"]))


def two_homes(content):
    here, there = list(content["categories"])[:2]
    content["categories"][there].append(content["categories"][here][0])


def mixed(content):
    families = {
        name: columns[0].partition(".")[0] for name, columns in content["categories"].items()
    }
    apart = next(name for name, family in families.items() if family == "initial")
    other = next(name for name, family in families.items() if family != "initial")
    content["categories"][apart].append(content["categories"][other].pop())
    content["defining"] = {}


def lost(content):
    content["categories"][first(content)].pop()
    content["defining"] = {}


def renamed(content):
    content["categories"] = dict(zip(
        [f"{name}_" for name in content["categories"]], content["categories"].values(), strict=True
    ))  # fmt: skip


def drop(family, name, value):
    """A column is dropped, or kept, for another reason."""
    return dataset(f"{family}/{name}", put(0, value))


def wider(folder):
    """Longer words fit into the reasons of the cleaner."""
    with h5py.File(folder, "r+") as file:
        values = file["initial/reasons"][...].astype("S20")
        values[0] = b"because"
        attributes = dict(file["initial/reasons"].attrs)
        del file["initial/reasons"]
        file.create_dataset("initial/reasons", data=values, fletcher32=True, chunks=values.shape)
        file["initial/reasons"].attrs.update(attributes)


METADATA = [
    ("operators are numbered from 0, each once", dataset("metadata/operator_id", swap)),
    ("splits are known and not empty", dataset("metadata/split", without(b"validation"))),
    ("a held-out operator is in no split", dataset("metadata/split", out_of_group)),
    ("operators, splits and labels are those of the table", dataset("metadata/ic_types", another)),
]
DRAWN = "rows are further draws of the training operators"
FEATURES = [
    ("columns are those of the groups in its parameters", columns(AGGREGATED, unknown)),
    (
        "masks say exactly where values are",
        dataset("features/temporal/mask", put((0, 0), False)),
    ),
    ("the aggregated view is that of the trajectories", dataset(AGGREGATED, scale(1.01))),
    (
        "operators that diverged have no features, all others have",
        dataset("metadata/valid", put(3, False)),
    ),
    ("INITIAL features are those of the fields", dataset(INITIAL, scale(1.01))),
]
DAMAGE = {
    case.TABLE: [
        (LOCKED, dataset("parameters/unit", scale(0.5))),
        (READABLE, truncate),
        ("every checksum is right", flip("parameters/unit")),
        (
            "every value is finite, or a mask says that there is none",
            dataset("parameters/unit", put((0, 0), NAN)),
        ),
        ("every column has a name of its own", columns("parameters/unit", rename)),
        (CONTENTS, lambda path: h5py.File(path, "r+").attrs.update({"provenance": "{}"})),
        ("operators are numbered from 0, each once", dataset("metadata/operator_id", swap)),
        (
            "design points are those of the seed, weights on the unit sphere",
            dataset("parameters/unit", scale(0.999)),
        ),
        ("θ is what the design points decode to", dataset("parameters/unit", scale(0.5))),
        ("labels agree with θ", dataset("metadata/evolution_policies", another)),
        (
            "initial conditions have their shares in every block",
            dataset("metadata/ic_types", put(slice(0, 16), b"localized")),
        ),
        (
            "held-out groups are those of the parameters",
            dataset("metadata/held_out", invert),
        ),
        ("splits are known and not empty", dataset("metadata/split", without(b"test"))),
        ("a held-out operator is in no split", dataset("metadata/split", out_of_group)),
        ("splits are whole aligned blocks", dataset("metadata/split", leaked)),
    ],
    case.ROLLOUTS: [
        (
            "every shard has the bytes that the index lists, and nothing else is there",
            lambda folder: flip("u")(folder / "shard-00001.h5"),
        ),
        ("every dataset of every shard is whole", listed(flip("u"))),
        ("shards hold consecutive operators from 0 on", listed(dataset("operator", swap))),
        (
            "trajectories are within the bound until they diverge, and missing after",
            listed(dataset("u", put((0, 0, 0), 1e9))),
        ),
        ("initial conditions are finite and not flat", listed(dataset("u0", put((0, 0), 3.0)))),
        ("the rollouts are of the table beside them", listed(dataset("identity", swap))),
        ("band-limited initial conditions lie in their bands", listed(dataset("u0", noise))),
        (
            "initial conditions have the variances that define them",
            lambda folder: [listed(dataset("u0", scale(2)), n)(folder) for n in range(3)],
        ),
        (READABLE, lambda folder: (folder / "index.json").write_text("{}")),
    ],
    case.FEATURES: [
        *FEATURES,
        ("fields are the initial conditions of the rollouts", dataset("inputs/fields", scale(2))),
        *METADATA,
    ],
    case.FURTHER: [
        *FEATURES,
        (DRAWN, dataset("inputs/fields", scale(2))),
        (DRAWN, dataset("inputs/fields", lambda values: values.__setitem__(0, values[1]))),
        (DRAWN, dataset("metadata/operator_id", put(0, 47))),
        (DRAWN, dataset("metadata/operator_id", lambda ids: ids.__setitem__(..., ids[::-1]))),
    ],
    case.CLEAN: [
        (
            "columns are standardized over training operators",
            dataset("summary/aggregated/features", scale(1.1)),
        ),
        ("invalid operators have nothing measured", dataset("metadata/valid", put(3, False))),
        (
            "it is what the cleaner makes of the features",
            dataset("summary/single/features", scale(1.1)),
        ),
        *METADATA,
    ],
    case.CLEANER: [
        ("every raw column stands there once", dataset("initial/names", twice)),
        ("columns are kept, or dropped for a known reason", wider),
        (
            "statistics of kept columns are finite and positive where they must be",
            dataset("initial/scale", put(0, 0.0)),
        ),
    ],
    case.CATEGORIES: [
        ("every column is in one category", tree(two_homes)),
        ("isolated families stand apart", tree(mixed)),
        ("columns are the cleaned ones", tree(lost)),
        ("pools and trees are of its columns", tree(lambda content: content.pop("pools"))),
        (READABLE, tree(lambda content: content.pop("parameters"))),
    ],
    case.TOKENIZER: [
        (READABLE, truncate),
        (READABLE, checkpoint(lambda content: content.pop("cleaner"))),
        ("every weight is finite", checkpoint(weight)),
        ("codes decode to finite columns", checkpoint(of_codes)),
        ("categories are those beside it", checkpoint(renamed)),
        (
            "the cleaner is the one beside it",
            checkpoint(lambda content: content["cleaner"]["summary"]["mean"].add_(1)),
        ),
    ],
    case.TOKENS: [
        (
            "operators without features have no tokens, all others have",
            dataset("tokens", put((0, 0), -1)),
        ),
        ("every token is of its codebook", dataset("tokens", put((0, 0), 99))),
        ("tokens are what the tokenizer gives", dataset("tokens", lambda t: t.sort(0))),
        *METADATA,
    ],
    case.AGENT: [
        ("every weight is finite", checkpoint(weight)),
        (
            "θ has positive scales",
            checkpoint(lambda content: content["weights"]["theta_scale"].zero_()),
        ),
        (
            "θ is that of the training operators",
            checkpoint(lambda content: content["weights"]["theta_mean"].add_(1)),
        ),
    ],
    case.METRICS: [
        (READABLE, tree(lambda m: m.update({"sample/x": NAN}))),
        ("every value is a number or null", tree(lambda m: m.update({"sample/x": {}}))),
        ("every key begins as those of its stage", tree(lambda m: m.update({"noa/x": 1}))),
        ("numbers have six significant digits", tree(lambda m: m.update({"sample/x": 1 / 3}))),
        ("shares lie in 0 … 1", tree(lambda m: m.update({"sample/share_x": 1.5}))),
    ],
}  # a way to damage an artefact, and a check that must fail then


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return case.build(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


@pytest.mark.parametrize("artefact", case.ALL)
def test_what_the_stages_write_passes_every_check(whole, artefact):
    for finding in validate(whole / artefact):
        assert not finding.problems, str(finding)
        assert not finding.skipped, str(finding)


@pytest.mark.parametrize(
    ("artefact", "check", "damage"),
    [(artefact, *one) for artefact, several in DAMAGE.items() for one in several],
)
def test_it_fails(copy, artefact, check, damage):
    damage(copy / artefact)
    failed = {finding.check: finding for finding in validate(copy / artefact) if finding.problems}
    back = "git checkout --" if artefact == case.METRICS else "dvc checkout --force"
    assert str(failed[LOCKED]).endswith(f"({back} {copy / artefact}, or dvc repro)")
    assert check in failed, failed
    line = str(failed[check])
    assert line.startswith(f"FAIL  {check}: ")
    assert "\n" not in line


@pytest.mark.parametrize("reader", ["clean", "train_vqvae", "evaluate"])
def test_no_stage_reads_further_draws_of_who_is_not_to_train_on(copy, reader, monkeypatch):
    with h5py.File(copy / case.FEATURES, "r") as file:
        split, ids = (file[f"metadata/{name}"][...] for name in ("split", "operator_id"))
    tested = int(ids[split == b"test"][0])
    case.dataset("metadata/operator_id", case.put(0, tested))(copy / case.FURTHER)
    monkeypatch.chdir(copy)
    monkeypatch.syspath_prepend(case.STAGES)
    sources = (
        case.TABLE, case.ROLLOUTS, case.FEATURES, case.FURTHER, case.CLEAN, case.CATEGORIES,
        case.TOKENIZER, case.TOKENS, case.AGENT,
    )  # fmt: skip
    with pytest.raises(Refusal, match=rf"further\.h5: operator {tested} from"):
        consistency.read([*map(Path, sources)]) if reader == "evaluate" else case.run(reader)


def test_every_check_is_seen_to_fail():
    tables = {
        case.TABLE: operators.CHECKS | bytes_of.HDF5,
        case.ROLLOUTS: rollouts.CHECKS,
        case.FEATURES: features.CHECKS,
        case.FURTHER: features.FURTHER,
        case.CLEAN: clean.CHECKS,
        case.CLEANER: clean.CLEANER,
        case.CATEGORIES: models.CATEGORIES,
        case.TOKENIZER: models.TOKENIZER,
        case.TOKENS: models.TOKENS,
        case.AGENT: models.AGENT,
        case.METRICS: metrics.CHECKS,
    }
    for artefact, checks in tables.items():
        assert set(checks) <= {check for check, _ in DAMAGE[artefact]}, artefact


def test_a_check_that_needs_another_file_says_so_where_there_is_none(whole, tmp_path):
    for artefact in case.ALL:
        source, alone = whole / artefact, tmp_path / "elsewhere" / artefact
        alone.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, alone)
        found = validate(alone)
        assert not [str(finding) for finding in found if finding.problems]
        shutil.rmtree(tmp_path / "elsewhere")
        assert "no dvc.lock above it" in {finding.skipped for finding in found}
        needy = artefact not in (case.TABLE, case.CLEANER, case.METRICS)
        assert any("beside it" in finding.skipped for finding in found) == needy


def test_the_hash_of_a_folder_is_the_one_that_dvc_gives_it(tmp_path):
    tree_of_dvc = Tree()
    for name in ("b", "a", "c/d"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
        tree_of_dvc.add(tuple(name.split("/")), None, HashInfo("md5", bytes_of.md5(path)))
    tree_of_dvc.digest()
    assert bytes_of.md5(tmp_path) == tree_of_dvc.hash_info.value


def test_a_damaged_file_of_the_cache_is_named_with_what_to_do(tmp_path):
    for text in ("one", "two"):
        (tmp_path / text).write_text(text)
        name = bytes_of.md5(tmp_path / text)
        place = tmp_path / "cache" / "files" / "md5" / name[:2] / f"{name[2:]}.dir"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (found,) = (finding for finding in validate(tmp_path / "cache") if not finding.skipped)
    assert not found.problems
    place.write_text("two!")
    (found,) = (finding for finding in validate(tmp_path / "cache") if not finding.skipped)
    assert found.problems == (
        f"{place} is damaged: remove it, then `dvc pull` or `dvc repro` brings it back",
    )


@pytest.fixture
def say(monkeypatch, capsys):
    def run(path):
        monkeypatch.setattr(sys, "argv", ["spinlock", "validate", str(path)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code, capsys.readouterr()

    return run


def test_the_command_ends_with_one_and_a_line_for_each_failed_check(copy, say, monkeypatch, capsys):
    path = copy / case.METRICS
    monkeypatch.setattr(sys, "argv", ["spinlock", "validate", str(path)])
    cli.main()
    assert capsys.readouterr().out.splitlines()[-1] == f"{path}: 6 checks, 0 failed"
    tree(lambda content: content.update({"noa/x": 1 / 3}))(path)
    status, said = say(path)
    failed = [line for line in said.out.splitlines() if line.startswith("FAIL  ")]
    assert (status, len(failed)) == (1, 3)
    assert said.out.splitlines()[-1] == f"{path}: 6 checks, 3 failed"


def test_what_no_stage_writes_is_refused(copy, say):
    (copy / "a.txt").write_text("")
    for path in (copy / "a.txt", copy / "none.h5"):
        status, said = say(path)
        assert status == 2
        assert said.err.startswith(f"spinlock: {path}: ")
        with pytest.raises(Refusal):
            validate(path)
