import Downloads
import Signatures

/// Keys, signatures and addresses, as they come from a mirror. What is accepted has one spelling, and an address leads nowhere
/// that is trusted less.
@c(LLVMFuzzerTestOneInput)
public func fuzzReleaseTexts(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let text = String(decoding: bytes, as: UTF8.self)
    if let signature = try? DetachedSignature(text: text) {
        precondition(signature.keyNumber.count == 8 && signature.bytes.count == 64)
        // A real key, by the standard's example: one of small order would take more than one signature.
        let key = try? PublicKey(
            text: "untrusted comment: x\nRWQAAAAAAAAAANdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea\n")
        precondition(key?.verify(signature, over: bytes) != true)
    }
    if let keys = try? PublicKey.keys(in: text) {
        precondition(!keys.isEmpty && keys.allSatisfy { $0.keyNumber.count == 8 && $0.bytes.count == 32 })
        precondition(((try? PublicKey(text: text)) != nil) == (keys.count == 1))
    }
    if let location = try? Location(text) {
        precondition(location.scheme != .http || location.isLoopback)
        guard let again = try? Location(location.description) else { preconditionFailure("written, and not read") }
        precondition(again == location && again.description == location.description)
    }
    for base in ["https://a.test/b/c?d", "http://127.0.0.1:8/b", "file:///b/c"] {
        guard let from = try? Location(base), let to = try? from.appending(text) else { continue }
        precondition(from.scheme != .https || to.scheme == .https)
        precondition(from.scheme == .file || to.scheme != .file)
        precondition(to.scheme != .http || to.isLoopback)
    }
    return 0
}
