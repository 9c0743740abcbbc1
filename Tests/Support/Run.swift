import Foundation

/// Runs a program to its end.
package func run(
    _ program: String, _ arguments: [String], environment: [String: String]? = nil
) throws -> (status: Int32, output: [UInt8], error: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    if let environment { process.environment = environment }
    let output = Pipe()
    let error = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = error
    try process.run()
    // Both at once: a full pipe would hold the program up.
    let errors = Later { [handle = error.fileHandleForReading] in handle.readDataToEndOfFile() }
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, Array(bytes), String(decoding: errors.value() ?? Data(), as: UTF8.self))
}
