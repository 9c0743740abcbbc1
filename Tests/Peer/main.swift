import Glibc

// Small programs for tests that need a process of their own. Usage: TestPeer COMMAND [ARGUMENT...]
switch CommandLine.arguments.dropFirst().first {
case "subreaper": try SubreaperProbe.run()
case "spawn-and-wait": try SpawnAndWait.run(arguments: Array(CommandLine.arguments.dropFirst(2)))
case "descriptor-limit": try DescriptorLimit.run()
case "serve": try PlainServer.run(arguments: Array(CommandLine.arguments.dropFirst(2)))
case "claude": try ClaudeHost.run(arguments: Array(CommandLine.arguments.dropFirst(2)))
case "models": FakeModels.run()
case "migrate": try Migrator.run(arguments: Array(CommandLine.arguments.dropFirst(2)))
case "faults": try Faults.run(arguments: Array(CommandLine.arguments.dropFirst(2)))
case "installation": try Installing.run(arguments: Array(CommandLine.arguments.dropFirst(2)))
default:
    exit(2)
}
