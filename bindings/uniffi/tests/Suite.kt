// presend from Kotlin, end to end: `SuiteKt ROOT PIXELS`. PIXELS is the test picture
// by bindings/rgba.py.

import java.io.File
import kotlin.system.exitProcess
import kotlinx.coroutines.*
import presend.*

var checks = 0

fun check(what: String, holds: Boolean) {
    checks++
    if (!holds) {
        System.err.println("not so: $what")
        exitProcess(1)
    }
}

fun main(arguments: Array<String>) = runBlocking {
    val (root, pixels) = arguments
    val list = "$root/hashlists/demo/demo.presend"
    val picture = File("$root/tests/data/media/test-picture.png").readBytes()
    val other = File("$root/tests/data/media/waves.jpg").readBytes()
    fun scanner(threads: UInt? = null) = Builder().run { listFile(list); build(threads) }

    val report = scanner().scan(picture)
    val first = report.findings()[0]
    check("the test picture is blocked", report.verdict() == Verdict.BLOCK)
    check("by the list", first.code() == "list.exact" && first.list() == "demo" && first.listVersion() == 1UL)
    check("another one may go", scanner().scan(other).verdict() == Verdict.ALLOW)
    report.check(picture)
    val swapped = runCatching { report.check(other) }.exceptionOrNull()
    check("swapped bytes are refused", swapped is PresendException.NotScanned)

    // On this one thread, while presend scans on its own.
    val one = scanner(1u)
    val scans = (1..40).map { async { one.scan(picture) } }
    var ticks = 0
    while (scans.any { it.isActive }) {
        ticks++
        yield()
    }
    check("all were scanned", scans.awaitAll().all { it.verdict() == Verdict.BLOCK })
    println("the loop ticked $ticks times during 40 scans on one thread")
    check("the loop ticks while presend scans", ticks > 100)

    val cancel = Cancel()
    val waiting = (1..40).map { async(start = CoroutineStart.UNDISPATCHED) { one.scan(picture, cancel = cancel) } }
    cancel.cancel()
    val last = waiting.awaitAll().last()
    check("a cancel reaches scans that wait", last.findings().any { it.code() == "incomplete.cancelled" })
    check("and is no allow", last.verdict() == Verdict.ASK)

    // 64 million pixels: the file's bytes are read long before the picture was seen.
    val large = Frame(ByteArray(64_000_000), 8000u, 8000u, Layout.LUMA)
    var wait = 20_000L
    var stopped: Report? = null
    for (attempt in 1..100) {
        val stop = Cancel()
        val scan = async(start = CoroutineStart.UNDISPATCHED) { one.scanFrame(large, other, cancel = stop) }
        Thread.sleep(wait / 1000)
        stop.cancel()
        val report = scan.await()
        if (report.findings().none { it.code() == "incomplete.cancelled" }) wait /= 2 // it had ended
        else if (report.blake3() == null || report.frames() == 0u) wait = wait * 3 / 2 // it had not begun
        else { stopped = report; break }
    }
    check("a cancel stops a scan that runs", stopped?.verdict() == Verdict.ASK)
    check("nothing printed shows what was found", "$first$large$stopped".none { it in "[(" })

    val late = scanner().scan(other, Limits(timeMs = 0UL))
    check("a deadline holds", late.findings()[0].code() == "incomplete.deadline-passed")

    val grey = ByteArray(64 * 64) { ((it % 64 * 3) xor (it / 64 * 5)).toByte() }
    val plain = Frame(grey, 64u, 64u, Layout.LUMA)
    val listed = Frame(File(pixels).readBytes(), 512u, 512u, Layout.RGBA)
    val session = scanner().session(SessionSettings(everyUs = 100_000UL))
    check("nothing yet", session.pushFrame(plain, 0UL) == Verdict.ALLOW)
    check("due by time", !session.isDue(99_999UL) && session.isDue(100_000UL))
    check("a listed frame", session.pushFrame(listed, 100_000UL) == Verdict.BLOCK)
    session.pushBytes(other)
    val film = session.finish()
    check("the report", film.frames() == 2u && film.findings()[0].code() == "list.near")
    film.check(other)
    val ended = runCatching { session.finish() }.exceptionOrNull()
    check("it has ended", ended is PresendException.Ended)
    val frame = runCatching { Frame(grey, 3u, 64u, Layout.LUMA) }.exceptionOrNull()
    check("a wrong frame is refused", frame is PresendException.Frame)
    check("a frame", scanner().scanFrame(listed, other).verdict() == Verdict.BLOCK)
    val none = runCatching { Builder().listFile("/none/of/these") }.exceptionOrNull()
    check("no path is told", none is PresendException.CannotRead && "these" !in none.message.orEmpty())
    println("$checks checks passed")
}
