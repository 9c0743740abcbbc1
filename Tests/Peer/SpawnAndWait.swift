import EventLoop
import Glibc
import Processes

/// Starts a sleeping child, prints its pid and waits to be killed: does the child die with its parent?
enum SpawnAndWait {
    static func run(arguments: [String]) throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(
            ProcessSpecification(executable: "/bin/sleep", arguments: ["60"]), on: loop)
        print(child.pid)
        fflush(nil)
        loop.run()
    }
}
