// Between the send button and the encryption. Add the generated presend.swift and
// the library with its module map to the app.

import Foundation

/// For every picture, and for its thumbnail. Cancelling the task does not reach
/// presend; cancelling `cancel` does.
func mayGo(_ scanner: Scanner, _ picture: Data, _ cancel: Cancel) async throws -> Bool {
    let report = await scanner.scan(bytes: picture, limits: Limits(timeMs: 10_000), cancel: cancel)
    if report.verdict() != .allow {
        let reason = report.findings()[0]
        print("\(reason.text()), by rule \(reason.rule())")
        return false
    }
    try report.check(bytes: picture)  // just before encrypting
    return true
}
