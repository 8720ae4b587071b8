"""presend from Python, end to end: `suite.py ROOT PIXELS`, with the package on the
path. PIXELS is the test picture by bindings/rgba.py."""

import asyncio
import pathlib
import sys
import threading
import unittest

import presend

ROOT, PIXELS = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
MEDIA = ROOT / "tests/data/media"
PICTURE = (MEDIA / "test-picture.png").read_bytes()
OTHER = (MEDIA / "waves.jpg").read_bytes()


def scanner(threads=None):
    builder = presend.Builder()
    builder.list_file(str(ROOT / "hashlists/demo/demo.presend"))
    return builder.build(threads)


def codes(report):
    return [finding.code() for finding in report.findings()]


def plain():
    pixels = bytes(((n % 64) * 3 ^ (n // 64) * 5) & 255 for n in range(64 * 64))
    return presend.Frame(pixels=pixels, width=64, height=64, layout=presend.Layout.LUMA)


def listed():
    return presend.Frame(
        pixels=PIXELS.read_bytes(), width=512, height=512, layout=presend.Layout.RGBA
    )


class Suite(unittest.IsolatedAsyncioTestCase):
    async def test_the_test_picture_is_blocked(self):
        report = await scanner().scan(PICTURE)
        self.assertEqual(report.verdict(), presend.Verdict.BLOCK)
        first = report.findings()[0]
        self.assertEqual((first.code(), first.rule()), ("list.exact", "list.default.exact"))
        self.assertEqual((first.list(), first.list_version(), first.score()), ("demo", 1, None))
        self.assertEqual(report.frames(), 1)
        report = await scanner().scan((MEDIA / "test-picture-halved-q50.jpg").read_bytes())
        self.assertEqual(codes(report)[0], "list.near")

    async def test_other_bytes_are_not_cleared(self):
        report = await scanner().scan(OTHER)
        self.assertEqual(report.verdict(), presend.Verdict.ALLOW)
        report.check(OTHER)
        with self.assertRaises(presend.PresendError.NotScanned):
            report.check(PICTURE)
        self.assertEqual(len(report.blake3()), 32)

    async def test_the_loop_ticks_while_presend_scans(self):
        one = scanner(threads=1)

        async def on_the_loop():
            return one.scan_here(PICTURE)

        async def ticks(scan):
            scans = asyncio.gather(*(scan() for _ in range(40)))
            count = 0
            while not scans.done():
                count += 1
                await asyncio.sleep(0)
            self.assertTrue(all(r.verdict() == presend.Verdict.BLOCK for r in scans.result()))
            return count

        beside, instead = await ticks(lambda: one.scan(PICTURE)), await ticks(on_the_loop)
        print(f"the loop ticked {beside} times during 40 scans, {instead} where they were its own")
        self.assertGreater(beside, 100)
        self.assertLess(instead, 40)

    async def test_a_cancel_reaches_scans_that_wait(self):
        one, cancel = scanner(threads=1), presend.Cancel()
        scans = [asyncio.ensure_future(one.scan(PICTURE, cancel=cancel)) for _ in range(40)]
        await asyncio.sleep(0)
        cancel.cancel()
        reports = await asyncio.gather(*scans)
        self.assertIn("incomplete.cancelled", codes(reports[-1]))
        self.assertEqual(reports[-1].verdict(), presend.Verdict.ASK)

    async def test_a_cancel_stops_a_scan_that_runs(self):
        # 64 million pixels: the file's bytes are read long before the picture was seen.
        large = presend.Frame(pixels=bytes(64_000_000), width=8000, height=8000, layout=presend.Layout.LUMA)
        one, wait = scanner(threads=1), 0.02
        for _ in range(100):
            cancel = presend.Cancel()
            scan = asyncio.ensure_future(one.scan_frame(large, b"the file", cancel=cancel))
            await asyncio.sleep(wait)
            cancel.cancel()
            report = await scan
            if "incomplete.cancelled" not in codes(report):
                wait /= 2  # it had ended
            elif report.blake3() is None or report.frames() == 0:
                wait *= 1.5  # it had not begun
            else:
                report.check(b"the file")
                self.assertEqual(report.verdict(), presend.Verdict.ASK)
                return
        self.fail("no cancel met a scan that ran")

    async def test_a_frame_that_is_no_longer_awaited_is_looked_at(self):
        one = scanner(threads=1)
        scans = [asyncio.ensure_future(one.scan(PICTURE)) for _ in range(20)]
        session = one.session()
        push = asyncio.ensure_future(session.push_frame(listed(), 0))
        await asyncio.sleep(0)
        push.cancel()
        report = await session.finish()
        self.assertEqual((report.verdict(), report.frames()), (presend.Verdict.BLOCK, 1))
        await asyncio.gather(*scans)

    async def test_a_frame_that_gets_no_turn_is_not_looked_at_on_the_loop(self):
        one = scanner(threads=1)
        session = one.session()
        self.assertEqual(await session.push_frame(plain(), 0), presend.Verdict.ALLOW)
        large = presend.Frame(pixels=bytes(64_000_000), width=8000, height=8000, layout=presend.Layout.LUMA)
        cancel = presend.Cancel()
        scans = [asyncio.ensure_future(one.scan_frame(large, b"", cancel=cancel)) for _ in range(70)]
        await asyncio.sleep(0)
        self.assertEqual(await session.push_frame(listed(), 1_000_000), presend.Verdict.ASK)
        report = await session.finish()
        self.assertEqual((codes(report)[0], report.frames()), ("incomplete.busy", 1))
        cancel.cancel()
        await asyncio.gather(*scans)

    async def test_too_many_waiting_scans_are_busy_at_once(self):
        reports = await asyncio.gather(*(scanner_of_one.scan(PICTURE) for _ in range(200)))
        busy = [r for r in reports if "incomplete.busy" in codes(r)]
        self.assertTrue(busy and len(busy) < 200)
        self.assertTrue(all(r.verdict() == presend.Verdict.ASK for r in busy))

    async def test_limits_hold(self):
        for limits, code in [
            (presend.Limits(input_bytes=10), "incomplete.too-many-bytes"),
            (presend.Limits(pixels=10), "incomplete.too-many-pixels"),
            (presend.Limits(memory=10), "incomplete.too-much-memory"),
            (presend.Limits(time_ms=0), "incomplete.deadline-passed"),
        ]:
            report = await scanner().scan(OTHER, limits)
            self.assertEqual((report.verdict(), codes(report)[0]), (presend.Verdict.ASK, code))
            here = scanner().scan_here(OTHER, limits)
            self.assertEqual(codes(here), codes(report))

    async def test_a_frame_is_cleared_with_its_file(self):
        report = await scanner().scan_frame(listed(), b"the file")
        self.assertEqual(codes(report)[0], "list.near")
        report.check(b"the file")
        for wrong in [{"width": 511}, {"height": 0}, {"orientation": 9}]:
            fields = {"pixels": bytes(4), "width": 1, "height": 1, "layout": presend.Layout.RGBA}
            with self.assertRaises(presend.PresendError.Frame):
                presend.Frame(**(fields | wrong))

    async def test_a_session_has_a_verdict_at_any_time(self):
        session = scanner().session()
        self.assertEqual(await session.push_frame(plain(), 0), presend.Verdict.ALLOW)
        self.assertFalse(session.is_due(999_999))
        self.assertEqual(await session.push_frame(listed(), 500_000), presend.Verdict.ALLOW)
        self.assertEqual(await session.push_frame(listed(), 1_000_000), presend.Verdict.BLOCK)
        await session.push_bytes(b"the ")
        await session.push_bytes(b"film")
        report = await session.finish()
        self.assertEqual((report.frames(), codes(report)[0]), (2, "list.near"))
        report.check(b"the film")
        with self.assertRaises(presend.PresendError.Ended):
            await session.finish()
        empty = await scanner().session().finish()
        self.assertEqual(empty.verdict(), presend.Verdict.ASK)

    async def test_a_model_looks_and_the_policy_gives_it_meaning(self):
        folder = ROOT / "tests/data/models/mean-colour-1"
        policy = (ROOT / "src/policy/default.toml").read_text() + "[label.red]\nwarn = 0.9\n"
        red = presend.Frame(
            pixels=bytes([220, 20, 20]) * 64, width=8, height=8, layout=presend.Layout.RGB
        )
        for add in [
            lambda builder: builder.model_folder(str(folder)),
            lambda builder: builder.model(
                (folder / "model.toml").read_text(),
                (folder / "model.onnx").read_bytes(),
                [(folder / name).read_bytes() for name in ("dusk.png", "moss.png")],
            ),
        ]:
            builder = presend.Builder()
            builder.list((ROOT / "hashlists/demo/demo.presend").read_bytes())
            builder.policy(policy)
            add(builder)
            report = await builder.build().scan_frame(red, b"x")
            first = report.findings()[0]
            for printed in (str, repr):
                self.assertNotIn("0.9", printed(first))
                self.assertNotIn("220", printed(red) + printed(list(map(printed, [red, report]))))
                self.assertNotIn("\\xdc", printed(red) + printed(vars(red)))
            self.assertEqual((first.code(), first.verdict()), ("label.red", presend.Verdict.WARN))
            self.assertGreater(first.score(), 0.9)

    async def test_what_cannot_be_used_is_named_without_its_path(self):
        builder = presend.Builder()
        for error, call in [
            (presend.PresendError.CannotRead, lambda: builder.list_file("/none/of/these")),
            (presend.PresendError.List, lambda: builder.list(b"x")),
            (presend.PresendError.Model, lambda: builder.model_folder("/none/of/these")),
            (presend.PresendError.Policy, lambda: builder.policy("low-quality = 1")),
            (presend.PresendError.Policy, lambda: builder.preset("none")),
            (presend.PresendError.List, lambda: scanner().reload(b"x")),
            (presend.PresendError.Parts, lambda: presend.Builder().build().reload_file(
                str(ROOT / "hashlists/demo/demo.presend"))),
        ]:
            with self.assertRaises(error) as raised:
                call()
            self.assertNotIn("these", str(raised.exception).replace("these bytes", ""))
        scanner().reload_file(str(ROOT / "hashlists/demo/demo.presend"))

    async def test_all_threads_may_scan(self):
        shared, verdicts = scanner(), []
        work = lambda: verdicts.append(shared.scan_here(PICTURE).verdict())
        threads = [threading.Thread(target=work) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        self.assertEqual(verdicts, [presend.Verdict.BLOCK] * 4)


scanner_of_one = scanner(threads=1)

if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
