"""Stage `clean`: features become standardized columns; the cleaner is fitted on training rows."""

from dataclasses import asdict
from pathlib import Path

from spinlock import artifacts, params, runtime
from spinlock.cleaning import cleanset, fitting, raw, reliability, report


def main(*paths: Path) -> str:
    """Read features.h5 and further.h5; write clean.h5, the fitted cleaner and what it did."""
    features, further, clean, cleaner, metrics, columns = paths
    config = params.load("clean", fitting.Config)
    source = raw.read(features)
    replicates = reliability.replicates(source, raw.read_further(further, source.metadata))
    train = source.aggregated.take(source.metadata.rows("train"))
    fitted = fitting.fit(train, source.names, config, replicates)
    provenance = {"clean": asdict(config)}
    cleanset.write(clean, cleanset.clean(source, fitted), provenance)
    report.write(cleaner, fitted, provenance)
    counts = report.metrics(fitted, source.metadata, train)
    artifacts.write_metrics(metrics, counts)
    artifacts.write_table(columns, report.rows(fitted, reliability.measured(fitted, replicates)))
    kept, dropped = counts["clean/columns_kept"], counts["clean/columns_dropped"]
    return f"clean: {kept} columns kept, {dropped} dropped, of {len(train)} operators -> {clean}"


if __name__ == "__main__":
    runtime.run(main)
