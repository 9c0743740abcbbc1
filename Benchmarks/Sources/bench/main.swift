import Foundation

// A crash of the measured or a signal to the measurer must leave nothing behind.
let signals = [SIGINT, SIGTERM, SIGHUP].map { number in
    signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
    source.setEventHandler {
        endEverything()
        exit(130)
    }
    source.resume()
    return source
}

func progress(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}

do {
    let options = try Options(Array(CommandLine.arguments.dropFirst()))
    guard FileManager.default.isExecutableFile(atPath: daemonProgram) else {
        throw Problem(
            "\(daemonProgram) is no program: BENCH_DAEMON says where the daemon is, scripts/bench.sh builds it")
    }
    let bench = Bench(options: options)
    var text = ""
    for suite in allSuites where options.suites.isEmpty || options.suites.contains(suite.name) {
        bench.suite = suite.name
        try suite.run(bench)
        let table = table(suite, bench.results)
        print(table)
        text += table + "\n"
    }
    let comparison = comparison(bench.results)
    print(comparison)
    text += comparison
    for problem in bench.results.problems { print("not measured: \(problem)") }
    try bench.results.write(to: options.results, quick: options.isQuick, tables: text)
    print("written: \(options.results)/latest.json, \(options.results)/latest.md")
    exit(bench.results.problems.isEmpty ? 0 : 1)
} catch {
    progress("error: \(error)")
    endEverything()
    exit(1)
}
