import ACPMessages
import Base
import EventLoop
import JSON

/// The editor at the other end of stdin and stdout: lines of JSON-RPC both ways. Loop-confined.
///
/// Nothing grows with what the editor does: it isn't read while it doesn't read, or while many of its requests wait
/// for an answer; a line has a limit; what produces output waits for room.
final class EditorConnection {
    typealias Answer = (Result<JSON, ACPError>) -> Void

    var onRequest: (EditorRequest) -> Void = { _ in }
    var onNotification: (_ method: String, _ params: JSON) -> Void = { _, _ in }
    /// Once: the editor has gone.
    var onEnd: () -> Void = {}

    /// The longest line that is read: a prompt with images. The daemon's own limits are lower.
    static let lineLimit = 32 << 20
    /// Bytes that may wait for the editor before nothing more is produced or read.
    static let highWater = 1 << 20
    /// Requests without an answer, prompts aside, from which on no more are read.
    static let requestLimit = 64
    /// More than any one event of a log, which is never cut, and what waits before it.
    private static let outputLimit = 256 << 20

    private let reader: PipeReader
    private let writer: PipeWriter
    private var splitter = LineSplitter(limit: lineLimit)
    private var nextId = 1
    private var asked: [Int: Answer] = [:]
    private var unanswered = 0
    private var isPaused = false
    private var waitingForRoom: [() -> Void] = []

    init(input: Int32, output: Int32, loop: EventLoop) {
        reader = PipeReader(fd: input, loop: loop)
        writer = PipeWriter(fd: output, loop: loop, limit: EditorConnection.outputLimit)
    }

    func start() {
        reader.onBytes = { [weak self] in self?.received($0) }
        reader.onEnd = { [weak self] _ in self?.end() }
        writer.onError = { [weak self] _ in self?.end() }
        writer.onDrained = { [weak self] in self?.drained() }
    }

    /// What has been written still goes out.
    func close() {
        reader.close()
        writer.closeWhenDrained()
        for body in waitingForRoom { body() }
        waitingForRoom = []
    }

    private func end() {
        let report = onEnd
        onEnd = {}
        report()
    }

    // MARK: Reading

    private func received(_ bytes: UnsafeRawBufferPointer) {
        splitter.feed(bytes) { line in
            switch line {
            case .whole(let bytes): for message in ACPMessage.read(bytes) { take(message) }
            case .tooLong(_, let length):
                fail(
                    .null,
                    ACPError(
                        code: -32700,
                        message: "A line of \(length) bytes; at most \(EditorConnection.lineLimit) are read"))
            }
        }
        updateReading()
    }

    private func take(_ message: ACPMessage) {
        switch message {
        case .request(let id, let method, let params):
            unanswered += EditorRequest.isBrief(method) ? 1 : 0
            onRequest(EditorRequest(id: id, method: method, params: params, editor: self))
        case .notification(let method, let params): onNotification(method, params)
        case .result(let id, let result): answered(id, .success(result))
        case .failure(let id, let error): answered(id, .failure(error))
        case .unparsed(let text, _):
            fail(.null, ACPError(code: -32700, message: "No message of JSON-RPC 2.0: \(text.prefix(200))"))
        }
    }

    private func answered(_ id: JSON, _ result: Result<JSON, ACPError>) {
        // An answer that nobody waits for any more is late: somebody else gave it.
        guard let id = id.intValue, let answer = asked.removeValue(forKey: id) else { return }
        answer(result)
    }

    /// A request has its answer.
    func finished(_ method: String) {
        unanswered -= EditorRequest.isBrief(method) ? 1 : 0
        updateReading()
    }

    private func updateReading() {
        let shallPause = unanswered >= EditorConnection.requestLimit || writer.queuedBytes > EditorConnection.highWater
        guard shallPause != isPaused, reader.isOpen else { return }
        isPaused = shallPause
        if shallPause { reader.pause() } else { reader.resume() }
    }

    // MARK: Writing

    func succeed(_ id: JSON, _ result: JSONObject) { writer.write(ACPMessage.answer(id, result)) }

    func fail(_ id: JSON, _ error: ACPError) { writer.write(ACPMessage.answer(id, error)) }

    func notify(_ method: String, _ params: JSONObject) { writer.write(ACPMessage.notification(method, params)) }

    /// Asks the editor.
    /// - Returns: what `withdraw` takes.
    func ask(_ method: String, _ params: JSONObject, _ answer: @escaping Answer) -> Int {
        let id = nextId
        nextId += 1
        asked[id] = answer
        writer.write(ACPMessage.request(id, method, params))
        return id
    }

    /// Takes a question back: whatever the editor says to it isn't heard any more.
    func withdraw(_ id: Int) {
        guard asked.removeValue(forKey: id) != nil else { return }
        notify("$/cancel_request", ["requestId": JSON(id)])
    }

    /// Calls when there is room for more: at once, or when the editor has read what waits for it.
    func whenRoom(_ body: @escaping () -> Void) {
        guard writer.isOpen, writer.queuedBytes > EditorConnection.highWater else { return body() }
        waitingForRoom.append(body)
        updateReading()
    }

    private func drained() {
        let waiting = waitingForRoom
        waitingForRoom = []
        for body in waiting { body() }
        updateReading()
    }
}

/// A request of the editor's, which is answered once.
final class EditorRequest {
    let id: JSON
    let method: String
    let params: JSON
    private weak var editor: EditorConnection?

    init(id: JSON, method: String, params: JSON, editor: EditorConnection) {
        self.id = id
        self.method = method
        self.params = params
        self.editor = editor
    }

    /// Whether its answer takes no longer than the daemon's: a prompt is answered when its turn ends.
    static func isBrief(_ method: String) -> Bool { method != "session/prompt" }

    func succeed(_ result: JSONObject = [:]) { answer { $0.succeed(id, result) } }

    func fail(_ error: ACPError) { answer { $0.fail(id, error) } }

    private func answer(_ write: (EditorConnection) -> Void) {
        guard let editor else { return }
        self.editor = nil
        write(editor)
        editor.finished(method)
    }

    /// - Throws: `invalidParameters` when it is missing or no text.
    func text(_ name: String) throws(ACPError) -> String {
        guard let text = params[name]?.stringValue else { throw .invalidParameters("\(name) is missing, or no text") }
        return text
    }
}
