import Foundation
import TestSupport

/// Both fake model APIs until stdin ends, to talk to real agents by hand: prints what has to be exported for Claude Code,
/// and the address for a `model_provider` in Codex's `config.toml`.
enum FakeModels {
    static func run() {
        let messages = FakeMessagesAPI()
        let responses = FakeResponsesAPI()
        print("export ANTHROPIC_BASE_URL=\(messages.url) ANTHROPIC_API_KEY=sk-fake")
        print("base_url=\(responses.url)/v1")
        fflush(nil)
        while readLine() != nil {}
        messages.stop()
        responses.stop()
    }
}
