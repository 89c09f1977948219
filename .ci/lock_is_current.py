"""Exit with status 1 if `dvc repro` would run a stage: dvc.lock does not belong to this tree.

`dvc repro --dry` says so only in words, never by its exit status. Absent data does not count.
"""

import subprocess
import sys

done = subprocess.run(
    [sys.executable, "-m", "dvc", "repro", "--allow-missing", "--dry"],
    capture_output=True,
    text=True,
    check=False,
)
stale = [line for line in done.stdout.splitlines() if line.startswith("Running stage")]
if stale or done.returncode:
    print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    sys.exit("dvc.lock is stale: run `make repro` and commit dvc.lock, metrics/ and plots/")
print("dvc.lock is current")
