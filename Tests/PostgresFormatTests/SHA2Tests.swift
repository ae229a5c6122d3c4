import PostgresFormat
import TestSupport
import Testing

struct SHA2Tests {
  /// Goal: each SHA-2 is what it is called, however its bytes are cut. Method: coreutils' programs,
  /// over random bytes whose lengths lie around a block's.
  @Test(
    arguments: [
      (.sha224, "sha224sum"), (.sha256, "sha256sum"), (.sha384, "sha384sum"),
      (.sha512, "sha512sum"),
    ] as [(SHA2.Algorithm, String)], [0, 1, 63, 64, 65, 127, 128, 300])
  func coreutils(algorithm: (SHA2.Algorithm, String), length: Int) throws {
    var generator = SeededGenerator(state: 5)
    let bytes = generator.bytes(length)
    var sum = SHA2(algorithm.0)
    sum.update(bytes.bytes.extracting(0..<length / 3))
    sum.update(bytes.bytes.extracting(length / 3..<length))
    let digits = sum.value.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    #expect(digits == (try TestManifest.sum(algorithm.1, bytes)))
  }
}
