import Testing

@testable import Client

struct CursorBookTests {
    @Test("only the next event of a session is handed on")
    func order() {
        var book = CursorBook(["a": 4])
        #expect(book.receive("a", seq: 4) == .duplicate)
        #expect(book.receive("a", seq: 5) == .deliver)
        #expect(book.receive("a", seq: 7) == .gap(after: 5))
        #expect(book.receive("a", seq: 6) == .deliver)
        #expect(book.cursors == ["a": 6])
    }

    @Test("a session first seen live begins where it is seen")
    func unknown() {
        var book = CursorBook()
        #expect(book.receive("a", seq: 9) == .deliver)
        #expect(book.receive("a", seq: 9) == .duplicate)
    }

    @Test("a live event ahead of its replay waits for the replay")
    func early() {
        var book = CursorBook(["a": 1])
        book.beginReplay(["a"])
        #expect(book.receive("a", seq: 4) == .early)
        for seq in 2...4 { #expect(book.receive("a", seq: seq) == .deliver) }
        #expect(book.replayComplete(["a": 4]) == nil)
        #expect(book.receive("a", seq: 6) == .gap(after: 4))
    }

    @Test("a replay that ends behind what was sent is not complete")
    func behind() {
        var book = CursorBook(["a": 1, "b": 7])
        book.beginReplay(["a", "b"])
        #expect(book.replayComplete(["a": 3, "b": 7, "other": 5]) == "a")
    }

    @Test("the snapshot starts sessions that are not followed yet, and no others")
    func snapshot() {
        var book = CursorBook(["a": 1])
        book.snapshot("a", lastSeq: 10)
        book.snapshot("b", lastSeq: 10)
        #expect(book.cursors == ["a": 1, "b": 10])
    }

    @Test("a new session may begin with what its record tells, or after it", arguments: [1, 2, 3])
    func created(first: Int) {
        var book = CursorBook()
        book.created("a", lastSeq: 2)
        #expect(book.receive("a", seq: first) == .deliver)
        #expect(book.receive("a", seq: first + 1) == .deliver)
    }

    @Test("a new session must not begin later")
    func createdGap() {
        var book = CursorBook()
        book.created("a", lastSeq: 2)
        #expect(book.receive("a", seq: 4) == .gap(after: 0))
    }

    @Test("the same gap is asked for again a few times only")
    func retries() {
        var book = CursorBook(["a": 1])
        for _ in 1...3 { #expect(book.mayRetry("a") == true) }
        #expect(book.mayRetry("a") == false)
        _ = book.receive("a", seq: 2)
        #expect(book.mayRetry("a") == true)
    }
}

struct BackoffTests {
    @Test("doubles from 0.1 s to 5 s")
    func doubling() {
        var backoff = Backoff()
        let waits = (0..<20).map { _ in backoff.next(random: 0) }
        #expect(waits.prefix(4) == [.milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800)])
        #expect(waits.suffix(10).allSatisfy { $0 == .seconds(5) })
        backoff.reset()
        #expect(backoff.next(random: 0) == .milliseconds(100))
    }

    @Test("jitter takes at most a quarter")
    func jitter() {
        var backoff = Backoff()
        #expect(backoff.next(random: 0.999) > .milliseconds(75))
    }
}

struct PendingTableTests {
    @Test("what was sent and must not be repeated is lost with the connection; the rest is sent again in order")
    func lost() {
        var table = PendingTable<String>(limit: 100)
        for (id, idempotent) in [("1", true), ("2", false), ("3", true)] {
            #expect(table.insert(requestId: id, frame: Array(id.utf8), isIdempotent: idempotent, waiter: id) == true)
        }
        #expect(table.takeFramesToSend() == [[0x31], [0x32], [0x33]])
        #expect(table.insert(requestId: "4", frame: [0x34], isIdempotent: false, waiter: "4") == true)
        #expect(table.connectionLost() == ["2"])
        #expect(table.takeFramesToSend() == [[0x31], [0x33], [0x34]])
        #expect(table.connectionLost() == ["4"])
    }

    @Test("an answer is taken once")
    func once() {
        var table = PendingTable<Int>(limit: 100)
        _ = table.insert(requestId: "1", frame: [1, 2], isIdempotent: true, waiter: 7)
        #expect(table.remove("1") == 7)
        #expect(table.remove("1") == nil)
        #expect(table.bytes == 0)
    }

    @Test("the bytes that wait are bounded, but one request always fits")
    func bound() {
        var table = PendingTable<Int>(limit: 10)
        #expect(
            table.insert(requestId: "1", frame: [UInt8](repeating: 0, count: 20), isIdempotent: true, waiter: 1) == true
        )
        #expect(table.insert(requestId: "2", frame: [0], isIdempotent: true, waiter: 2) == false)
        _ = table.removeAll()
        #expect(table.insert(requestId: "2", frame: [0], isIdempotent: true, waiter: 2) == true)
    }
}
