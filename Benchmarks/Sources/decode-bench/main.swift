import Base
import BenchSupport
import Glibc
import JSON
import ProviderACP
import ProviderClaude
import ProviderCodex
import Providers

// How fast what providers say becomes events, over recorded transcripts; and the JSON below it.

var options = CommandLineOptions()
let what = options.text("what", "json-parse")
let folder = options.text("fixtures", "Tests")
let duration = options.seconds("duration", 2)
options.done()

func contents(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { stop("\(path) can't be read") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&block, 1, block.count, file)
        if count <= 0 { return bytes }
        bytes += block[..<count]
    }
}

/// The transcripts of a folder, each as the lines that the provider wrote.
func transcripts(_ folder: String) -> [[[UInt8]]] {
    guard let directory = opendir(folder) else { stop("\(folder) can't be read") }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name.hasSuffix(".jsonl") { names.append(name) }
    }
    return names.sorted().map { name in
        contents(folder + "/" + name).split(separator: 0x0a).compactMap(providersLine)
    }
}

/// A recording wraps each line with its time and direction; what the provider wrote is `out`.
func providersLine(_ line: ArraySlice<UInt8>) -> [UInt8]? {
    guard let json = try? JSON.parse(Array(line)), let out = json["out"] else { return nil }
    return out.serialize()
}

/// Repeats whole passes until the time is over. It is the processor's time that counts: what others took of the core
/// meanwhile is not ours.
func measure(_ lines: [[[UInt8]]], _ pass: ([[UInt8]]) -> Void) {
    let bytesPerPass = lines.joined().reduce(0) { $0 + $1.count + 1 }
    let linesPerPass = lines.reduce(0) { $0 + $1.count }
    for transcript in lines { pass(transcript) }
    let (begin, end) = (cpuSeconds(), monotonicSeconds() + duration)
    var passes = 0
    while passes == 0 || monotonicSeconds() < end {
        for transcript in lines { pass(transcript) }
        passes += 1
    }
    let seconds = cpuSeconds() - begin
    report([
        "megabytesPerSecond": Double(bytesPerPass * passes) / seconds / 1e6,
        "linesPerSecond": Double(linesPerPass * passes) / seconds,
    ])
}

/// Keeps the optimiser from leaving the work out.
nonisolated(unsafe) var sink = 0

let claude = folder + "/ProviderClaudeTests/Fixtures"
let acp = folder + "/ProviderACPTests/Fixtures"
let codex = folder + "/ProviderCodexTests/Fixtures"
switch what {
case "json-parse":
    measure(transcripts(claude)) { lines in
        for line in lines { if let json = try? JSON.parse(line), case .object = json { sink &+= 1 } }
    }
case "json-serialize":
    let values = transcripts(claude).joined().compactMap { try? JSON.parse($0) }
    var out: [UInt8] = []
    measure([values.map { $0.serialize() }]) { _ in
        for value in values {
            out.removeAll(keepingCapacity: true)
            value.serialize(into: &out)
            sink &+= out.count
        }
    }
case "claude":
    measure(transcripts(claude)) { lines in
        var decoder = ClaudeDecoder()
        for line in lines { sink &+= decoder.decode(line).events.count }
    }
case "acp":
    let updates = transcripts(acp)
    measure(updates) { lines in
        var decoder = ACPDecoder(epoch: "bench")
        decoder.beginTurn("t1", prompt: "")
        var events: [NormalizedEvent] = []
        for line in lines {
            guard let json = try? JSON.parse(line), let update = json["params"]?["update"] else { continue }
            events.removeAll(keepingCapacity: true)
            decoder.update(update, into: &events)
            sink &+= events.count
        }
    }
case "codex":
    measure(transcripts(codex)) { lines in
        var decoder: CodexDecoder?
        for line in lines {
            guard let message = CodexMessage.read(line) else { continue }
            // The answer that names the thread is the first of its kind.
            if decoder == nil, case .result(_, let result) = message,
                let thread = result["thread"]?["id"]?.stringValue
            {
                decoder = CodexDecoder(threadId: thread, epoch: "bench", settings: result)
            }
            if decoder?.turn == CodexDecoder.Turn.none { decoder?.beginTurn() }
            sink &+= decoder?.decode(message).events.count ?? 0
        }
    }
default: stop("--what is json-parse, json-serialize, claude, acp or codex")
}
if sink == 0 { stop("nothing was decoded") }
