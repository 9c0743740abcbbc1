/// Header fields in the order they came, names in lower case.
///
/// All bytes live in one block with ranges into it, so that a request costs two allocations however many fields it
/// has, and no string is made before somebody asks for one.
package struct HTTPHeaders: Sendable {
    struct Field: Sendable {
        var start: UInt32
        var nameCount: UInt32
        var valueCount: UInt32
    }

    /// May begin with bytes that belong to no field (the request target).
    var block: [UInt8] = []
    var fields: [Field] = []

    package init() {}

    package init(_ pairs: [(String, String)]) {
        for (name, value) in pairs { append(name, value) }
    }

    package var count: Int { fields.count }
    package var isEmpty: Bool { fields.isEmpty }

    /// Adds a field. What may not stand in a header is refused when the message is encoded, not here.
    package mutating func append(_ name: String, _ value: String) {
        let start = block.count
        block.append(contentsOf: name.utf8)
        let nameCount = block.count - start
        for index in start..<block.count { block[index] = block[index].lowercasedASCII }
        block.append(contentsOf: value.utf8)
        fields.append(
            Field(
                start: UInt32(clamping: start), nameCount: UInt32(clamping: nameCount),
                valueCount: UInt32(clamping: block.count - start - nameCount)))
    }

    /// Removes all fields of that name, then adds one.
    package mutating func set(_ name: String, _ value: String) {
        remove(name)
        append(name, value)
    }

    package mutating func remove(_ name: String) {
        // The bytes stay in the block: this is for the few fields of an answer, not for editing in bulk.
        let lowercase = Array(name.lowercased().utf8)
        let block = block
        fields.removeAll { field in
            block[Int(field.start)..<Int(field.start + field.nameCount)].elementsEqual(lowercase)
        }
    }

    /// The first value of a name, upper and lower case being the same; bytes that are no UTF-8 are replaced.
    package subscript(_ name: String) -> String? {
        var found: String?
        forEachValue(of: name) { value in
            found = value.asString
            return false
        }
        return found
    }

    /// All values of a name, in order.
    package func values(_ name: String) -> [String] {
        var found: [String] = []
        forEachValue(of: name) { value in
            found.append(value.asString)
            return true
        }
        return found
    }

    package func contains(_ name: String) -> Bool {
        var found = false
        forEachValue(of: name) { _ in
            found = true
            return false
        }
        return found
    }

    /// Whether the comma-separated lists of that name hold `token`, upper and lower case being the same.
    package func contains(token: StaticString, in name: String) -> Bool {
        var found = false
        forEachValue(of: name) { value in
            value.forEachListElement { element in
                found = element.equalsIgnoringCase(token)
                return !found
            }
            return !found
        }
        return found
    }

    /// Every field as strings, for tests, logs and proxies.
    package var pairs: [(name: String, value: String)] {
        var all: [(name: String, value: String)] = []
        forEach { name, value in all.append((name.asString, value.asString)) }
        return all
    }

    /// Calls `body` with the bytes of each name and value, which are valid during the call only.
    package func forEach(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void) {
        block.withUnsafeBytes { bytes in
            for field in fields { body(field.name(in: bytes), field.value(in: bytes)) }
        }
    }

    /// Calls `body` with the bytes of each value of a name until it returns false; they are valid during the call only.
    package func forEachValue(of name: String, _ body: (UnsafeRawBufferPointer) -> Bool) {
        var name = name
        name.withUTF8 { wanted in
            block.withUnsafeBytes { bytes in
                for field in fields where Int(field.nameCount) == wanted.count {
                    let own = field.name(in: bytes)
                    var index = 0
                    while index < wanted.count, own[index] == wanted[index].lowercasedASCII { index += 1 }
                    if index == wanted.count, !body(field.value(in: bytes)) { return }
                }
            }
        }
    }
}

extension HTTPHeaders.Field {
    @inline(__always)
    func name(in block: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        block.slice(Int(start), Int(start) + Int(nameCount))
    }

    @inline(__always)
    func value(in block: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        block.slice(Int(start) + Int(nameCount), Int(start) + Int(nameCount) + Int(valueCount))
    }
}

extension HTTPHeaders: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, String)...) {
        self.init(elements)
    }
}

extension HTTPHeaders: Equatable {
    package static func == (left: HTTPHeaders, right: HTTPHeaders) -> Bool {
        left.count == right.count && zip(left.pairs, right.pairs).allSatisfy { $0 == $1 }
    }
}
