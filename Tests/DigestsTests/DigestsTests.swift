import Base
import Digests
import Testing

/// The examples of FIPS 180-4.
@Suite struct DigestsTests {
    @Test func examplesOfTheStandard() {
        #expect(hexadecimal(sha1(Array("abc".utf8))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(hexadecimal(sha1([])) == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(
            hexadecimal(sha256(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }
}
