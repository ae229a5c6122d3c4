import TestSupport
import Testing

@testable import LayerFormat

struct KeyTests {
  /// Goal: the six fields have the offsets of the format. Method: known keys as text and as bytes,
  /// and every field of each.
  @Test(
    arguments: [
      ("000000067F00004000000040180000000229", 0x00, 0x67F, 0x4000, 0x4018, 0, 0x229),
      ("010000000200000001000000AB0000000007", 0x01, 2, 1, 0xAB, 0, 7),
      ("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", 0xFF, .max, .max, .max, 0xFF, .max),
      (
        "0123456789ABCDEF0123456789ABCDEF0123", 0x01, 0x2345_6789, 0xABCD_EF01, 0x2345_6789, 0xAB,
        0xCDEF_0123
      ),
    ] as [(String, UInt8, UInt32, UInt32, UInt32, UInt8, UInt32)])
  func fields(
    text: String, field1: UInt8, field2: UInt32, field3: UInt32, field4: UInt32, field5: UInt8,
    field6: UInt32
  ) throws {
    let fields = Key(field1, field2, field3, field4, field5, field6)
    #expect(fields == Key(text))
    #expect(fields.description == text)
    #expect(fields.encoded == (try bytes(text)))
    #expect(fields.field1 == field1 && fields.field2 == field2 && fields.field3 == field3)
    #expect(fields.field4 == field4 && fields.field5 == field5 && fields.field6 == field6)
  }

  /// Goal: encoding, decoding and text lose nothing, and keys are ordered like their bytes. Method:
  /// 2000 random pairs (seed 10) with a common prefix of random length.
  @Test func roundTripsAndOrder() throws {
    var generator = SeededGenerator(state: 10)
    for _ in 0..<2000 {
      let left = generator.bytes(18)
      let shared = Int.random(in: 0...18, using: &generator)
      let right = Array(left[..<shared]) + generator.bytes(18 - shared)
      let leftKey = left.withBytes { Key(decoding: $0) }
      let rightKey = ([0, 0, 0] + right).withBytes { Key(decoding: $0, at: 3) }
      #expect(leftKey.encoded == left)
      #expect(
        Key(
          leftKey.field1, leftKey.field2, leftKey.field3, leftKey.field4, leftKey.field5,
          leftKey.field6) == leftKey)
      #expect(Key(leftKey.description) == leftKey)
      #expect((leftKey < rightKey) == left.lexicographicallyPrecedes(right), "\(left) \(right)")
      #expect((leftKey == rightKey) == (left == right))
    }
  }

  /// Goal: the next key is the next number of 144 bits. Method: both sides of every carry, the
  /// maximum, and 200 random keys (seed 11) against a byte-wise model.
  @Test func next() throws {
    for (text, next) in [
      ("000000000000000000000000000000000000", "000000000000000000000000000000000001"),
      ("00000000000000000000000000000000FFFF", "000000000000000000000000000000010000"),
      ("000000067F0000400000004018000000FFFF", "000000067F00004000000040180000010000"),
      ("000000067F000040FFFFFFFFFFFFFFFFFFFF", "000000067F00004100000000000000000000"),
      ("000000067F000040FFFFFFFFFFFFFFFEFFFF", "000000067F000040FFFFFFFFFFFFFFFF0000"),
      ("00FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "010000000000000000000000000000000000"),
      ("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"),
      ("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"),
    ] {
      #expect(try key(text).next == key(next))
    }
    var generator = SeededGenerator(state: 11)
    for _ in 0..<200 {
      let carried = Int.random(in: 0..<18, using: &generator)
      var bytes = generator.bytes(18 - carried) + [UInt8](repeating: 0xFF, count: carried)
      bytes[17 - carried] &= 0x7F
      let key = bytes.withBytes { Key(decoding: $0) }
      bytes[17 - carried] += 1
      for index in (18 - carried)..<18 { bytes[index] = 0 }
      #expect(key.next.encoded == bytes)
    }
  }

  /// Goal: the ends of the key space. Method: known bytes.
  @Test func ends() {
    #expect(Key.minimum.encoded == [UInt8](repeating: 0, count: 18))
    #expect(Key.maximum.encoded == [UInt8](repeating: 0xFF, count: 18))
  }

  /// Goal: only 36 digits are a key. Method: near misses.
  @Test(arguments: [
    "",
    "0",
    "000000067F0000400000004018000000022",
    "000000067F0000400000004018000000022A0",
    " 00000067F0000400000004018000000022A",
    "+00000067F0000400000004018000000022A",
    "-00000067F0000400000004018000000022A",
    "000000067F0000400000004018000000022G",
    "000000067F0000400000004018000000022é",
    "000000067F000040000000401800000002é",
    "000000067F0000400000004018000000022\u{FF11}",
    "0x0000067F0000400000004018000000022A",
    "000000067F0000400000004018000000022\0",
    "000000067F0000400000004018000000022/",
    "000000067F0000400000004018000000022:",
    "000000067F0000400000004018000000022@",
    "000000067F0000400000004018000000022`",
  ])
  func nearMisses(text: String) {
    #expect(Key(text) == nil)
  }

  /// Goal: digits of either case are read. Method: one key in both.
  @Test func lowerCase() throws {
    let text = "000000067F0000400000004018000000022A"
    #expect(try key(text.lowercased()) == key(text))
  }
}
