import API
import Base
import CLinux
import Glibc

/// What the kernel says about this process.
func processVitals() -> CoreVitals.ProcessVitals {
    var vitals = CoreVitals.ProcessVitals()
    var usage = rusage()
    if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        vitals.cpuSeconds = seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
    vitals.openFiles = openFiles()
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
        vitals.maxFiles = Int(clamping: limit.rlim_cur)
    }
    // The program's name may hold spaces and parentheses: what counts begins after the last one.
    if let bytes = try? readFile("/proc/self/stat", limit: 8192), let end = bytes.lastIndex(of: UInt8(ascii: ")")) {
        let fields = String(decoding: bytes[(end + 1)...], as: UTF8.self).split(separator: " ")
        if fields.count > 21 {
            vitals.threads = Int(fields[17])
            vitals.virtualBytes = Int(fields[20])
            vitals.residentBytes = Int(fields[21]).map { $0 * Int(getpagesize()) }
            vitals.startSeconds = Double(fields[19]).flatMap { ticks in
                bootSeconds().map { $0 + ticks / Double(sysconf(Int32(_SC_CLK_TCK))) }
            }
        }
    }
    return vitals
}

/// Since Linux 6.2 the size of the folder is the number of descriptors; before, they are counted.
private func openFiles() -> Int? {
    var information = stat()
    guard stat("/proc/self/fd", &information) == 0 else { return nil }
    // What was open for counting is not counted.
    return information.st_size > 0 ? Int(information.st_size) : max(0, (folderEntries("/proc/self/fd") ?? []).count - 1)
}

/// When the machine was started, in seconds since 1970. That doesn't change.
private func bootSeconds() -> Double? { boot }

private let boot: Double? = {
    var now = timespec()
    var sinceBoot = timespec()
    guard clock_gettime(CLOCK_REALTIME, &now) == 0, clock_gettime(CLOCK_BOOTTIME, &sinceBoot) == 0 else { return nil }
    func seconds(_ time: timespec) -> Double { Double(time.tv_sec) + Double(time.tv_nsec) / 1e9 }
    return seconds(now) - seconds(sinceBoot)
}()
