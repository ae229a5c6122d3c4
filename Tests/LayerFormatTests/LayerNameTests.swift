import Testing

@testable import LayerFormat

struct LayerNameTests {
  private static let start = "000000067F00004000000040180000000000"
  private static let end = "000000067F00004000000040180000000229"

  /// Goal: image layers are named and read. Method: one, as text and by its fields.
  @Test func imageLayer() throws {
    let text = "\(Self.start)-\(Self.end)__00000000000FFFF8"
    let name = try #require(LayerName(text))
    #expect(name.keys == (try key(Self.start))..<(try key(Self.end)))
    #expect(name.extent == .image(at: lsn(0xFFFF8)))
    #expect(name.isImage && !name.isLevel0)
    #expect(name.lsns == lsn(0xFFFF8)..<lsn(0xFFFF9))
    #expect(name.description == text)
    #expect(name == LayerName(keys: name.keys, extent: name.extent))
  }

  /// Goal: delta layers are named and read, and an L0 is recognised. Method: one of each, and an
  /// image layer over everything, which is not an L0.
  @Test func deltaLayers() throws {
    let text = "\(Self.start)-\(Self.end)__0000000000000010-0000000006319E39"
    let name = try #require(LayerName(text))
    #expect(name.extent == .delta(lsn(0x10)..<lsn(0x631_9E39)))
    #expect(name.lsns == lsn(0x10)..<lsn(0x631_9E39))
    #expect(!name.isImage && !name.isLevel0)
    #expect(name.description == text)
    let all = String(repeating: "0", count: 36) + "-" + String(repeating: "F", count: 36)
    let level0 = LayerName.level0(lsn(0x10)..<lsn(0x18))
    #expect(level0.description == all + "__0000000000000010-0000000000000018")
    #expect(level0.isLevel0 && !level0.isImage)
    #expect(LayerName(level0.description) == level0)
    #expect(LayerName(all + "__0000000000000010")?.isLevel0 == false)
  }

  /// Goal: nothing else is read as a layer name, in particular no second spelling of a name, and no
  /// range that is empty or has no end. Method: near misses.
  @Test(arguments: [
    "", "__", "-", "-__-", "\(start)-\(end)", "\(start)-\(end)__", "\(start)__0000000000000010",
    "\(start)-\(end)_0000000000000010", "\(start)-\(end)___0000000000000010",
    "\(start)-\(end)__0000000000000010__", "\(start)-\(end)__0000000000000010-",
    "\(start)-\(end)__-0000000000000010", "\(start)-\(end)-\(end)__0000000000000010",
    "\(start)-\(end)__0000000000000010-0000000000000018-0000000000000020",
    "\(start.lowercased())-\(end)__0000000000000010",
    "\(start)-\(end)__00000000000ffff8", "\(start)-\(end)__000000000000010",
    "\(start)-\(end)__00000000000000010", "\(start.dropFirst())-\(end)__0000000000000010",
    "0\(start)-\(end)__0000000000000010", "\(start)-\(start)__0000000000000010",
    "\(end)-\(start)__0000000000000010",
    "\(start)-\(end)__0000000000000018-0000000000000018",
    "\(start)-\(end)__0000000000000018-0000000000000010",
    "\(start)-\(end)__FFFFFFFFFFFFFFFF", "\(start)-\(end)__000000000000001é",
    "\(start)-\(end)__000000000000001\u{FF11}", "\(start)-\(end)__00000000000000+1",
    " \(start)-\(end)__0000000000000010", "\(start)-\(end)__0000000000000010\n",
    "\(start)-\(end)__0000000000000010-00000001", "../\(start)-\(end)__0000000000000010",
  ])
  func nearMisses(text: String) {
    #expect(LayerName(text) == nil)
  }

  /// Goal: a file name has the name of the layer and the generation. Method: both kinds, both
  /// directions; every other form is refused.
  @Test func fileNames() throws {
    for text in [
      "\(Self.start)-\(Self.end)__0000000000000010",
      "\(Self.start)-\(Self.end)__0000000000000010-0000000000000018",
    ] {
      let name = try #require(LayerName(text))
      for (generation, suffix): (UInt32, String) in [
        (0, "00000000"), (1, "00000001"), (0xABC, "00000abc"), (.max, "ffffffff"),
      ] {
        #expect(name.fileName(generation: generation) == "\(text)-\(suffix)")
        let parsed = try #require(LayerName.parse(fileName: "\(text)-\(suffix)"))
        #expect(parsed == (name, generation))
      }
      for suffix in [
        "", "-", "-1", "-0000001", "-000000001", "-0000000A", "-0000000g", "-00000001.temp",
        "00000001", "_00000001", "-+0000001", "--0000001", "-0000000\u{FF11}", "-000000é",
        "-00000001-00000001",
      ] {
        #expect(LayerName.parse(fileName: text + suffix) == nil, "'\(suffix)'")
      }
    }
    for text in ["", "-", "index_part.json-00000001", "é-00000001", "\u{301}-00000001"] {
      #expect(LayerName.parse(fileName: text) == nil)
    }
  }
}
