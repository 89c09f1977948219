"""Stage `clean`: features become standardized columns; the cleaner is fitted on training rows."""

from dataclasses import asdict
from pathlib import Path

from spinlock import artifacts, params, runtime
from spinlock.cleaning import cleanset, fitting, raw, report


def main(features: Path, clean: Path, cleaner: Path, metrics: Path, columns: Path) -> str:
    """Read features.h5, both views; write clean.h5, the fitted cleaner and what it did."""
    config = params.load("clean", fitting.Config)
    source = raw.read(features)
    train = source.aggregated.take(source.metadata.rows("train"))
    fitted = fitting.fit(train, source.names, config)
    provenance = {"clean": asdict(config)}
    cleanset.write(clean, cleanset.clean(source, fitted), provenance)
    report.write(cleaner, fitted, provenance)
    counts = report.metrics(fitted, source.metadata)
    artifacts.write_metrics(metrics, counts)
    artifacts.write_table(columns, report.rows(fitted))
    kept, dropped = counts["clean/columns_kept"], counts["clean/columns_dropped"]
    return f"clean: {kept} columns kept, {dropped} dropped, of {len(train)} operators -> {clean}"


if __name__ == "__main__":
    runtime.run(main)
