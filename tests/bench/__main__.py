"""``make bench``: every benchmark, one after the other. ``--quick`` shows that they run; its figures say little."""

import argparse

from tests.bench import fanout, ingest, outbox, sheets


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers, for a smoke test")
    parser.add_argument("--only", choices=["fanout", "ingest", "outbox", "sheets"], help="run one of them")
    options = parser.parse_args()
    for name, bench in (("ingest", ingest), ("outbox", outbox), ("fanout", fanout), ("sheets", sheets)):
        if options.only in (None, name):
            bench.run(quick=options.quick)


if __name__ == "__main__":
    main()
