// Between the send button and the encryption: `PreSendKt LIST PICTURE`.
// Exits 0 if the picture may go, 1 if not.

import java.io.File
import kotlin.system.exitProcess
import kotlinx.coroutines.runBlocking
import presend.*

/** For every picture, and for its thumbnail. Any dispatcher will do. */
suspend fun mayGo(scanner: Scanner, picture: ByteArray): Boolean {
    val report = scanner.scan(picture, Limits(timeMs = 10_000UL))
    println(report.verdict().name.lowercase())
    if (report.verdict() != Verdict.ALLOW) {
        val reason = report.findings().first()
        println("${reason.text()}, by rule ${reason.rule()}")
        return false
    }
    report.check(picture) // just before encrypting
    return true
}

fun main(arguments: Array<String>) {
    val builder = Builder() // once, when the app starts
    builder.listFile(arguments[0])
    val scanner = builder.build()
    val goes = runBlocking { mayGo(scanner, File(arguments[1]).readBytes()) }
    exitProcess(if (goes) 0 else 1)
}
