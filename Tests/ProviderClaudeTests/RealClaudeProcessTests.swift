import Foundation
import TestSupport
import Testing

extension RealClaudeTests {
    /// No descendant of Claude outlives it: its tools run in sessions of their own, where no signal to a group reaches.
    /// In a process of its own, which adopts orphans as the daemon does and other tests must not.
    @Suite struct Descendants {
        enum End: String, CaseIterable {
            case stop, interrupt, crash
        }

        private static let loop = "for i in 1 2 3; do sleep 300; done"

        @Test("A tool that runs ends with its Claude", arguments: End.allCases)
        func runningTool(_ end: End) throws {
            let host = try Host(#"[[tool:Bash {"command":"\#(Self.loop)","description":"t"}]] [[text:done]]"#)
            defer { host.close() }
            try finish(host, end)
            if end == .interrupt { try host.wait(for: "turn interrupted") }
        }

        /// An interrupt leaves those alone, as Claude Code says.
        @Test("A tool in the background ends with its Claude", arguments: [End.stop, .crash])
        func backgroundTool(_ end: End) throws {
            let host = try Host(
                #"[[tool:Bash {"command":"\#(Self.loop)","description":"t","run_in_background":true}]] [[text:done]]"#)
            defer { host.close() }
            try host.wait(for: "turn completed")
            try finish(host, end)
        }

        private func finish(_ host: Host, _ end: End) throws {
            try eventually("the tool runs", within: .seconds(20)) { !host.sleepers.isEmpty }
            let claude = try host.claude()
            switch end {
            case .stop, .interrupt: host.write(end.rawValue)
            case .crash: kill(claude, SIGKILL)
            }
            try eventually("no descendant is left: \(host.processes)", within: .seconds(5)) {
                host.processes.allSatisfy { end == .interrupt && $0 == claude }
            }
            if end != .interrupt { try host.wait(for: "ended") }
        }
    }
}

/// `TestPeer claude`, and what the kernel says about everything below it.
private final class Host {
    private let api = FakeMessagesAPI()
    private let home: TemporaryFolder
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var said = ""

    init(_ prompt: String) throws {
        let program = try #require(RealClaude.program, "\(RealClaude.missing)")
        home = try TemporaryFolder("claude-host")
        try FileManager.default.createDirectory(atPath: home.path + "/tmp", withIntermediateDirectories: true)
        // Built beside the tests.
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        process.executableURL = URL(fileURLWithPath: own).deletingLastPathComponent()
            .appendingPathComponent("TestPeer")
        process.arguments = ["claude", program, home.path, prompt]
        process.environment = RealClaude.environment(home: home.path, api: api)
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    func write(_ command: String) { input.fileHandleForWriting.write(Data((command + "\n").utf8)) }

    func wait(for line: String) throws {
        try eventually("\(line); so far \(said)", within: .seconds(20)) {
            read()
            return said.split(separator: "\n").contains(Substring(line))
        }
    }

    func claude() throws -> Int32 {
        try eventually("its pid") {
            read()
            return said.hasPrefix("pid ") && said.contains("\n")
        }
        return try #require(Int32(said.dropFirst(4).prefix { $0.isNumber }))
    }

    private func read() {
        let handle = output.fileHandleForReading.fileDescriptor
        var poll = pollfd(fd: handle, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&poll, 1, 0) > 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(handle, &buffer, buffer.count)
        if count > 0 { said += String(decoding: buffer[..<count], as: UTF8.self) }
    }

    /// Everything whose environment names this home, without the host itself.
    var processes: [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { pid in
            guard pid != process.processIdentifier,
                let data = FileManager.default.contents(atPath: "/proc/\(pid)/environ")
            else { return false }
            return data.range(of: Data("HOME=\(home.path)\0".utf8)) != nil
        }
    }

    var sleepers: [Int32] {
        processes.filter {
            FileManager.default.contents(atPath: "/proc/\($0)/cmdline") == Data("sleep\0300\0".utf8)
        }
    }

    func close() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
        api.stop()
    }
}
