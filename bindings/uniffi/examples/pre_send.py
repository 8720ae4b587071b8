"""Between the send button and the encryption: `pre_send.py LIST PICTURE`.

Exits 0 if the picture may go, 1 if not.
"""

import asyncio
import sys

import presend


async def may_go(scanner: presend.Scanner, picture: bytes) -> bool:
    """For every picture, and for its thumbnail."""
    report = await scanner.scan(picture, presend.Limits(time_ms=10_000))
    print(report.verdict().name.lower())
    if report.verdict() != presend.Verdict.ALLOW:
        reason = report.findings()[0]
        print(f"{reason.text()}, by rule {reason.rule()}")
        return False
    report.check(picture)  # just before encrypting
    return True


async def main(list_file: str, picture: str) -> int:
    builder = presend.Builder()  # once, when the app starts
    builder.list_file(list_file)
    scanner = builder.build()
    with open(picture, "rb") as file:
        return 0 if await may_go(scanner, file.read()) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
