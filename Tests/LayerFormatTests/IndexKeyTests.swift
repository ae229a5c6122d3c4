import PostgresFormat
import TestSupport
import Testing

@testable import LayerFormat

extension IndexKey {
  /// The key from the 18 or 26 bytes of an index.
  init(bytes: [UInt8]) {
    let key = Key(decoding: bytes.bytes)
    guard bytes.count > Key.byteCount else {
      self.init(key)
      return
    }
    let lsn = bytes[Key.byteCount...].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    self.init(key, at: LogSequenceNumber(rawValue: lsn))
  }
}

struct IndexKeyTests {
  /// Goal: keys compare like their bytes, and so do their common prefixes. Method: pairs of random
  /// bytes (seed 51) that differ from one of the 26 bytes on, or nowhere; the model is the standard
  /// library on the bytes.
  @Test(arguments: [18, 26]) func order(byteCount: Int) {
    var generator = SeededGenerator(state: 51)
    for common in 0...byteCount {
      for _ in 0..<200 {
        let left = generator.bytes(byteCount)
        var right = left
        if common < byteCount {
          right[common] ^= UInt8(1 + generator.next() % 255)
          for place in common + 1..<byteCount {
            right[place] = UInt8(truncatingIfNeeded: generator.next())
          }
        }
        let (first, second) = (IndexKey(bytes: left), IndexKey(bytes: right))
        #expect((first == second) == (left == right), "\(left) \(right)")
        #expect(
          (first < second) == left.lexicographicallyPrecedes(right), "\(left) \(right)")
        #expect(
          first.commonByteCount(with: second) == (common < byteCount ? common : 26),
          "\(left) \(right)")
      }
    }
  }

  /// Goal: every part of a key is encoded as its bytes. Method: all ranges of random keys (seed
  /// 52).
  @Test(arguments: [18, 26]) func encoding(byteCount: Int) {
    var generator = SeededGenerator(state: 52)
    for _ in 0..<20 {
      let bytes = generator.bytes(byteCount)
      for start in 0...byteCount {
        for end in start...byteCount {
          var encoded: [UInt8] = []
          IndexKey(bytes: bytes).encode(start..<end, into: &encoded)
          #expect(encoded == Array(bytes[start..<end]))
        }
      }
    }
  }
}
