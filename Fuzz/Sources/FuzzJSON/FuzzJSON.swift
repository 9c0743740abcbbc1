import Configuration
import JSON

/// What is accepted is written as text that reads back the same, on one line; a configuration that is accepted says the
/// same when written again.
@c(LLVMFuzzerTestOneInput)
public func fuzzJSON(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    do {
        let value = try JSON.parse(bytes)
        let text = value.serialize()
        precondition(!text.contains(0x0a))
        // Not the values: a double that is whole is read back as a whole number.
        guard let again = try? JSON.parse(text) else { preconditionFailure("what was written can't be read") }
        precondition(again.serialize() == text)
    } catch {
        precondition(error.offset >= 0 && error.offset <= count)
    }
    do {
        let configuration = try Configuration.parse(bytes, source: "fuzz")
        let again = try Configuration.parse(JSON.object(configuration.json).serialize(), source: "fuzz")
        precondition(again == configuration)
    } catch {
        precondition(!error.problems.isEmpty)
        for problem in error.problems { precondition((problem.line ?? 1) >= 1) }
    }
    return 0
}
