"""``make bench``: every benchmark, one after the other. ``--quick`` shows that they run; its figures say little."""

import argparse

from tests.bench import drive, fanout, ingest, outbox, pages, s3, sheets

BENCHES = {
    "ingest": ingest,
    "outbox": outbox,
    "fanout": fanout,
    "sheets": sheets,
    "s3": s3,
    "drive": drive,
    "pages": pages,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers, for a smoke test")
    parser.add_argument("--only", choices=list(BENCHES), help="run one of them")
    options = parser.parse_args()
    for name, bench in BENCHES.items():
        if options.only in (None, name):
            bench.run(quick=options.quick)


if __name__ == "__main__":
    main()
