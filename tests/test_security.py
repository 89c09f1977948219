"""What somebody else made is data: loading it runs no code and reads no other file.

And what is ours stays ours: no key, home folder or private host is in Git.
"""

import ast
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import spinlock
from closure import ROOT
from spinlock import artifacts, check, experiments, params, profiles
from spinlock.refusals import Refusal

RAN = "ran"


class Malice:
    """When unpickled, it leaves a trace in the working directory."""

    def __reduce__(self):
        return Path.touch, (Path(RAN),)


@pytest.fixture(autouse=True)
def _nothing_runs(tmp_path, monkeypatch):
    """Every test of this file has a folder of its own, in which no code has run at the end."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path(RAN).exists()


def refused(load, *arguments) -> str:
    """The one line with which something is refused."""
    with pytest.raises(Refusal) as refusal:
        load(*arguments)
    line = str(refusal.value)
    assert "\n" not in line
    return line


def test_the_malice_of_these_tests_is_real():
    pickle.loads(pickle.dumps(Malice()))
    assert Path(RAN).exists()
    Path(RAN).unlink()
    torch.save(Malice(), "evil.pt")
    torch.load("evil.pt", weights_only=False)
    assert Path(RAN).exists()
    Path(RAN).unlink()


def script(path):
    with warnings.catch_warnings(action="ignore"):  # deprecated, and still found in the wild
        torch.jit.script(torch.nn.Linear(1, 1)).save(path)


def disguised(path, **options):
    torch.save({"kind": "tokenizer", "schema": 1, "weights": {"w": Malice()}}, path, **options)


CHECKPOINTS = {
    "in the weights": disguised,
    "in the old format": lambda path: disguised(path, _use_new_zipfile_serialization=False),
    "a bare pickle": lambda path: path.write_bytes(pickle.dumps(Malice())),
    "in an array of objects": lambda path: torch.save(np.array([Malice()]), path),
    "as a whole": lambda path: torch.save(Malice(), path),
    "a script": script,
}


@pytest.mark.parametrize("make", CHECKPOINTS.values(), ids=CHECKPOINTS)
@pytest.mark.parametrize(
    "load", [artifacts.load_checkpoint, spinlock.load_tokenizer, spinlock.load_noa]
)
def test_no_code_in_a_checkpoint_is_run(make, load):
    make(Path("evil.pt"))
    assert "evil.pt: not a readable checkpoint" in refused(load, "evil.pt")


def test_the_command_says_it_in_one_line(monkeypatch):
    disguised(Path("evil.pt"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    command = [sys.executable, "-m", "spinlock.cli", "info", "evil.pt"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("spinlock: evil.pt: not a readable checkpoint")
    assert len(done.stderr.splitlines()) == 1


def ours(path, name="values", **attributes):
    """Make a file, or what another file says, look like one that a stage wrote."""
    with h5py.File(path, "a") as file:
        file.attrs.update({"kind": "features", "schema": 1, "provenance": "{}", **attributes})
        if isinstance(file.get(name, getlink=True), h5py.HardLink):
            file[name].attrs["axes"] = "N"


def read(path="evil.h5"):
    with artifacts.reading(path, "features") as source:
        return source.get("values", "N")


def virtual(file):
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "values", (3,))
    file.create_virtual_dataset("values", layout)


FOREIGN = {
    "objects": lambda file: file.create_dataset(
        "values", data=np.array([b"a", b"b"], object), dtype=h5py.string_dtype()
    ),
    "references": lambda file: file.create_dataset("values", (1,), h5py.ref_dtype),
    "lists": lambda file: file.create_dataset("values", (2,), h5py.vlen_dtype(np.int32)),
    "a pickle": lambda file: file.create_dataset(
        "values", data=np.void(pickle.dumps(Malice())).reshape(1)
    ),
    "another file's bytes": lambda file: file.create_dataset(
        "values", (6,), "u1", external=[("secret.txt", 0, 6)]
    ),
    "another file's dataset": lambda file: file.update(
        {"values": h5py.ExternalLink("other.h5", "values")}
    ),
    "a view of another file": virtual,
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_a_data_file_holds_plain_arrays_and_reads_no_other(make):
    Path("secret.txt").write_text("secret")
    with h5py.File("other.h5", "w") as file:
        file["values"] = np.arange(3.0)
    ours("other.h5")
    with h5py.File("evil.h5", "w") as file:
        make(file)
    ours("evil.h5")
    line = "evil.h5: 'values' is no plain array in this file; a foreign file?"
    assert refused(read) == line


def test_a_dataset_is_refused_wherever_it_hides():
    with artifacts.writing(Path("evil.h5"), "features", {}) as sink:
        sink.put("values", np.arange(3.0), "N")
    assert len(read()) == 3
    with h5py.File("evil.h5", "a") as file:
        file["a/b/elsewhere"] = h5py.ExternalLink("other.h5", "/")
    assert "'a/b/elsewhere' is no plain array" in refused(read)


@pytest.mark.parametrize("attributes", [{"schema": "one"}, {"kind": np.arange(3)}, {"kind": 1.0}])
def test_strange_attributes_are_refused(attributes):
    with h5py.File("evil.h5", "w") as file:
        file["values"] = np.arange(3.0)
    ours("evil.h5", **attributes)
    assert refused(read).startswith("evil.h5: expected features of schema 1, found ")


@pytest.mark.parametrize(
    "text",
    [
        "seed: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [ran]]",
        "seed: !!python/object/new:os.system [touch ran]",
        "seed: !!python/name:os.system ''",
        "seed: !!python/module:os ''",
        "!!python/object/apply:os.system [touch ran]",
        "seed: !secret 3",
        "seed: &loop [*loop]",
        "seed: 2025-11-21",
        "[seed]: 1",
        "1: 1",
        "- seed",
    ],
)
def test_yaml_makes_plain_values_only(text):
    Path("params.yaml").write_text(text)
    assert refused(params.load, "seed", int).startswith("params.yaml: ")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"categories": ' * 100_000, "\xff", "[1,"])
def test_json_is_refused_and_not_followed_to_the_end_of_the_stack(text):
    Path("mapping.json").write_text(text, encoding="latin-1")
    assert refused(artifacts.read_json, Path("mapping.json")).startswith("mapping.json: not JSON")


def with_mapping(path) -> dict:
    """The project's parameters, with categories from a file."""
    tree = params.read(ROOT / "params.yaml")
    section = {**tree["discover_categories"], "method": "mapping", "mapping_file": path}
    return {**tree, "discover_categories": section}


@pytest.mark.parametrize("path", ["mapping.json", "mine/categories.json"])
def test_a_mapping_file_stands_in_its_folder(path):
    check.check_tree(with_mapping(path), "params.yaml")


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../mapping.json", "data/../../mapping.json", "link.json", "folder/x.json"],
)
def test_a_mapping_file_does_not_lead_out_of_the_project(path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "x.json").write_text("{}")
    Path("mappings").mkdir()
    Path("mappings/link.json").symlink_to(elsewhere / "x.json")
    Path("mappings/folder").symlink_to(elsewhere)
    line = refused(check.check_tree, with_mapping(path), "params.yaml")
    assert line.startswith("params.yaml: discover_categories.mapping_file: must stay in ")
    assert path in line


@pytest.fixture
def project():
    """A folder with the project's parameters and no profile."""
    Path("params.yaml").write_text((ROOT / "params.yaml").read_text())
    Path("profiles").mkdir()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("name", ["../params", "/etc/passwd", "..", "", "a/b"])
def test_the_name_of_a_profile_is_no_path(name):
    assert refused(profiles.load, name).startswith(f"no profile '{name}'")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: !!python/object/apply:os.system [touch ran]", "not valid YAML"),
        (
            "discover_categories: {method: mapping, mapping_file: ../../x.json}",
            "discover_categories.mapping_file: must stay in mappings/, got '../../x.json'",
        ),
        ("sample: &loop {held_out: *loop}", "not plain YAML"),
    ],
)
def test_a_profile_of_somebody_else_is_refused_in_one_line(text, said):
    Path("profiles/evil.yaml").write_text(text)
    assert said in refused(profiles.load, "evil")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ("{a: {runtime: {store: /etc}}}", "experiments/evil.yaml: runs.a: runtime cannot change a"),
        (
            "{a: {discover_categories: {method: mapping, mapping_file: ../x.json}}}",
            "discover_categories.mapping_file: must stay in mappings/, got '../x.json'",
        ),
        ("{a: {seed: '${oc.env:HOME}'}}", "seed: expected a valid integer"),
        ("{a: {discover_categories: {method: '${oc.env:HOME}'}}}", "discover_categories.method: "),
        ("{../a: {seed: 1}}", "runs.../a: expected a name of small letters"),
        ("{--temp: {seed: 1}}", "runs.--temp: expected a name of small letters"),
        ("{a: !!python/name:os.system ''}", "not valid YAML"),
        ("&loop {a: {sample: *loop}}", "not plain YAML"),
    ],
)
def test_an_experiment_of_somebody_else_is_refused_in_one_line(runs, said):
    """Before anything is queued: no place outside of the project, no look-up, no option of DVC."""
    Path("experiments").mkdir()
    Path("metrics").mkdir()
    Path("metrics/a.json").write_text('{"m": 1}')
    head = "profile: null\nuntil: null\nmetrics: [m]\n"
    Path("experiments/evil.yaml").write_text(f"{head}runs: {runs}\n")
    assert said in refused(experiments.load, "evil")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("name", ["../params", "/etc/passwd", "..", "", "a/b"])
def test_the_name_of_an_experiment_is_no_path(name):
    assert refused(experiments.load, name).startswith(f"no experiment '{name}'")


def test_no_committed_profile_or_experiment_names_a_place():
    overlays = {path: params.read(path) for path in (ROOT / "profiles").glob("*.yaml")}
    for path in (ROOT / "experiments").glob("*.yaml"):
        overlays |= {f"{path}: {run}": own for run, own in params.read(path)["runs"].items()}
    assert len(overlays) > 50
    for path, overlay in overlays.items():
        assert "store" not in overlay.get("runtime", {}), path
        assert "mapping_file" not in overlay.get("discover_categories", {}), path


UNSAFE = {
    "pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "eval", "exec",
    "unsafe_load", "full_load", "allow_pickle", "add_safe_globals",
}  # fmt: skip


def test_no_module_of_ours_unpickles_or_evaluates():
    """One call of `torch.load` there is, and it takes tensors and plain values alone."""
    loads = []
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            named = {
                ast.Import: lambda n: {alias.name.partition(".")[0] for alias in n.names},
                ast.ImportFrom: lambda n: {n.module.partition(".")[0]},
                ast.Name: lambda n: {n.id},
                ast.keyword: lambda n: {n.arg},
                ast.Attribute: lambda n: {n.attr} - {"eval"},  # of a torch module
            }.get(type(node), lambda n: set())(node)
            assert not named & UNSAFE, f"{path}: {named & UNSAFE}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                loads += [ast.unparse(word) for word in node.keywords]
    assert loads == ["map_location='cpu'", "weights_only=True"]


SECRETS = {
    "a key of AWS": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a private key": rb"-----BEGIN [A-Z ]*PRIVATE KEY",
    "a token": rb"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|hf_|pypi-Ag|sk-)[\w-]{16,}",
    "a password in an address": rb"\w+://[^\s/:@'\"{}]+:[^\s/@'\"{}]+@",
    "a value with a telling name": rb"(?i)(?:secret|password|passwd|api_?key|access_key\w*)['\"]?"
    rb"[ \t]*[:=][ \t]*['\"]?(?!not-a-secret)[\w+/-]{12,}",  # but for the example in docs/
    "a home folder": rb"/(?:home|Users)/\w|/root/\w|[A-Z]:\\+Users",
    "a private address": rb"\b(?:10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}"
    rb"|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})\b",
    "a private host": rb"\w+://[\w.-]+\.(?:internal|intranet|local|lan|corp|home)\b",
}
EXAMPLES = {
    "a key of AWS": "AKIA" + "ABCDEFGHIJKLMNOP",
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "a token": "ghp" + "_0123456789abcdefghij",
    "a password in an address": "https://me:" + "mine@example.org",
    "a value with a telling name": "secret_access_key" + " = 0123456789abcdef",
    "a home folder": "/ho" + "me/somebody/data",
    "a private address": "192.168" + ".1.17",
    "a private host": "http://store" + ".internal:9000",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_the_scan_knows_a_secret_when_it_sees_one(kind):
    assert re.search(SECRETS[kind], EXAMPLES[kind].encode())


def test_no_secret_is_in_git():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    assert len(paths) > 100
    for path in paths:
        content = path.read_bytes() if path.is_file() else b""
        for kind, pattern in SECRETS.items():
            found = re.search(pattern, content)
            assert not found, f"{path.relative_to(ROOT)}: {kind}: {found[0][:12]!r}…"


def test_where_secrets_stand_git_does_not_look():
    for name in (".dvc/config.local", ".venv/x", "data/x", "models/x", ".work/x", ".shards/x"):
        ignored = subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, check=False)
        assert ignored.returncode == 0, name
