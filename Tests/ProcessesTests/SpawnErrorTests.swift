import EventLoop
import Glibc
import Processes
import Testing

@Suite(.serialized) struct SpawnErrorTests {
    static let cases: [(ProcessSpecification, SpawnError.Code)] = [
        (ProcessSpecification(executable: "/nonexistent/program"), .executableNotFound),
        (ProcessSpecification(executable: "no-such-program-here"), .executableNotFound),
        (ProcessSpecification(executable: ""), .executableNotFound),
        (ProcessSpecification(executable: "/etc/passwd"), .notExecutable),
        (ProcessSpecification(executable: "/usr"), .notExecutable),
        (ProcessSpecification(executable: "/bin/true", workingDirectory: "/nonexistent"), .workingDirectory),
        (ProcessSpecification(executable: "/bin/true", workingDirectory: "/etc/passwd"), .workingDirectory),
        (ProcessSpecification(executable: "/bin/true", arguments: ["a\0b"]), .invalidArgument),
        (ProcessSpecification(executable: "/bin/true", environment: ["A": "a\0b"]), .invalidArgument),
        (
            ProcessSpecification(executable: "/bin/true", arguments: [String(repeating: "x", count: 300_000)]),
            .invalidArgument
        ),
    ]

    @Test(arguments: cases.indices) func failuresAreTypedAndLeaveNothing(index: Int) throws {
        let (specification, code) = Self.cases[index]
        let loop = try EventLoop()
        let error = #expect(throws: SpawnError.self) { try ChildProcess.spawn(specification, on: loop) }
        #expect(error?.code == code)
        #expect(error?.message.isEmpty == false)
    }

    @Test func failuresLeakNoDescriptors() throws {
        let loop = try EventLoop()
        let before = openDescriptors()
        for _ in 0..<100 {
            _ = try? ChildProcess.spawn(ProcessSpecification(executable: "/nonexistent/program"), on: loop)
        }
        #expect(openDescriptors() < before + 50)
    }

    @Test func lookupWantsAnExecutableFile() {
        #expect(ExecutableLookup.find("sh", searchPath: "/nonexistent:/bin:/usr/bin") == "/bin/sh")
        #expect(ExecutableLookup.find("sh", searchPath: "bin:.") == nil)
        #expect(ExecutableLookup.find("passwd", searchPath: "/etc") == nil)
        #expect(ExecutableLookup.find("/bin/sh", searchPath: "") == "/bin/sh")
        #expect(ExecutableLookup.find("/bin", searchPath: "") == nil)
    }
}
