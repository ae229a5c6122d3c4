import PostgresFormat
import TestSupport
import Testing

@testable import LayerFormat

struct LayerSummaryTests {
  private let delta: LayerSummary
  private let image: LayerSummary

  init() throws {
    let keys = try key("000000067F00004000000040180000000000")..<(.maximum)
    func summary(_ extent: LayerName.Extent) throws -> LayerSummary {
      LayerSummary(
        tenant: try #require(Identifier("00112233445566778899aabbccddeeff")),
        timeline: try #require(Identifier("ffeeddccbbaa99887766554433221100")),
        name: LayerName(keys: keys, extent: extent), indexStart: 0x0102_0304,
        indexRoot: 0x0506_0708)
    }
    delta = try summary(.delta(lsn(0x10)..<lsn(0x1122_3344_5566_7788)))
    image = try summary(.image(at: lsn(0xFFFF8)))
  }

  private static let ids =
    "00112233445566778899aabbccddeeff ffeeddccbbaa99887766554433221100"
    + "000000067F00004000000040180000000000 FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"

  /// Goal: the fields have the offsets of the format. Method: known bytes of one summary of each
  /// kind, both ways.
  @Test func knownBytes() throws {
    for (summary, magic, lsns) in [
      (delta, "5A61", "0000000000000010 1122334455667788"), (image, "5A60", "00000000000FFFF8"),
    ] {
      let fields = try bytes(magic + "0003" + Self.ids + lsns + "01020304 05060708")
      let page = fields + [UInt8](repeating: 0, count: 8192 - fields.count)
      #expect(summary.encoded() == page)
      let decoded = try page.withBytes { page throws(FormatError) in
        try LayerSummary(decoding: page)
      }
      #expect(decoded == summary)
    }
  }

  private func decode(_ page: RawSpan) throws(FormatError) { _ = try LayerSummary(decoding: page) }

  /// Goal: an impossible summary is refused. Method: break each field.
  @Test func refusals() {
    let page = delta.encoded()
    func with(_ bytes: [UInt8], at offset: Int, in page: [UInt8]) -> [UInt8] {
      Array(page[..<offset]) + bytes + page[(offset + bytes.count)...]
    }
    let maximum = [UInt8](repeating: 0xFF, count: 18)
    expectRefusal("the summary of a layer has 0 bytes, not 8192", of: [], by: decode)
    expectRefusal("has 8191 bytes", of: Array(page.dropLast()), by: decode)
    expectRefusal("has 8193 bytes", of: page + [0], by: decode)
    expectRefusal("5A62 is not the magic", of: with([0x62], at: 1, in: page), by: decode)
    expectRefusal("0000 is not the magic", of: [UInt8](repeating: 0, count: 8192), by: decode)
    expectRefusal(
      "version 2 is not", as: .storageFormatUnsupported, of: with([2], at: 3, in: page), by: decode)
    expectRefusal(
      "version 259", as: .storageFormatUnsupported, of: with([1], at: 2, in: page), by: decode)
    expectRefusal("is empty", of: with(maximum, at: 36, in: page), by: decode)
    expectRefusal("is empty", of: with(Array(page[36..<54]), at: 54, in: page), by: decode)
    expectRefusal("is empty", of: with(Array(page[80..<88]), at: 72, in: page), by: decode)
    expectRefusal("is empty", of: with([1], at: 72, in: with([0], at: 80, in: page)), by: decode)
    for offset in [96, 97, 4000, 8191] {
      expectRefusal("unused bytes", of: with([1], at: offset, in: page), by: decode)
    }
    let imagePage = image.encoded()
    expectRefusal("unused bytes", of: with([1], at: 88, in: imagePage), by: decode)
    expectRefusal(
      "is empty", of: with([UInt8](repeating: 0xFF, count: 8), at: 72, in: imagePage), by: decode)
  }

  /// Goal: no page traps, and every summary that is read can be used. Method: 300 pages (seed 20)
  /// of random fields after a correct beginning, then zeros.
  @Test func randomFields() {
    var generator = SeededGenerator(state: 20)
    var readCount = 0
    for _ in 0..<300 {
      let isDelta = Bool.random(using: &generator)
      var page: [UInt8] = [0x5A, isDelta ? 0x61 : 0x60, 0, 3]
      page += generator.bytes((isDelta ? 96 : 88) - 4)
      page += [UInt8](repeating: 0, count: 8192 - page.count)
      let summary = page.withBytes { page in try? LayerSummary(decoding: page) }
      guard let summary else { continue }
      readCount += 1
      #expect(summary.encoded() == page)
      #expect(!summary.name.lsns.isEmpty)
      #expect(LayerName(summary.name.description) == summary.name)
    }
    #expect(readCount > 30 && readCount < 270)
  }
}
