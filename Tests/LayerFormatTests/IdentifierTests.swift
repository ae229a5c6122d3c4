import TestSupport
import Testing

@testable import LayerFormat

struct IdentifierTests {
  /// Goal: identifiers are read and written, as text and as bytes. Method: 100 random ones
  /// (seed 30) against their bytes.
  @Test func roundTrips() throws {
    var generator = SeededGenerator(state: 30)
    for _ in 0..<100 {
      let bytes = generator.bytes(Identifier.byteCount)
      let text = bytes.map { $0.hexadecimal(2, uppercase: false) }.joined()
      let identifier = ([7] + bytes).withBytes { Identifier(decoding: $0, at: 1) }
      #expect(identifier.description == text)
      #expect(Identifier(text) == identifier)
      #expect(Identifier(text.uppercased()) == identifier)
      var encoded: [UInt8] = []
      identifier.encode(into: &encoded)
      #expect(encoded == bytes)
    }
  }

  /// Goal: small numbers keep their zeros. Method: known texts.
  @Test func zeros() {
    let zero = String(repeating: "0", count: 32)
    #expect(Identifier(zero)?.description == zero)
    #expect(Identifier(zero.dropLast() + "a")?.description == zero.dropLast() + "a")
  }

  /// Goal: only 32 digits are an identifier. Method: near misses.
  @Test(arguments: [
    "", "0", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0",
    "0123456789abcdef0123456789abcdeg", "0123456789abcdef-123456789abcdef",
    "+123456789abcdef0123456789abcdef", " 123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdé", "01234567-89ab-cdef-0123-456789abcdef",
  ])
  func nearMisses(text: String) {
    #expect(Identifier(text) == nil)
  }

  /// Goal: random identifiers differ. Method: a hundred.
  @Test func random() {
    #expect(Set((0..<100).map { _ in Identifier.random() }).count == 100)
  }
}
