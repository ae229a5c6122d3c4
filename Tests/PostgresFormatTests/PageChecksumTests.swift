import TestSupport
import Testing

@testable import PostgresFormat

struct PageChecksumTests {
  /// Goal: the lanes, four at a time, agree with the definition. Method: random pages and blocks
  /// against a model that goes number by number, as the description in `checksum_impl.h`; the
  /// stored checksum must not matter.
  @Test func definition() {
    var generator = SeededGenerator(state: 8)
    for _ in 0..<20 {
      var page = generator.bytes(8192)
      let block = UInt32(truncatingIfNeeded: generator.next())
      let expected = Self.model(page, block: block)
      #expect(page.withBytes { PageChecksum.checksum(of: $0, block: block) } == expected)
      page[8] ^= 0xFF
      page[9] ^= 0xFF
      #expect(page.withBytes { PageChecksum.checksum(of: $0, block: block) } == expected)
      page[10] ^= 1
      #expect(page.withBytes { PageChecksum.checksum(of: $0, block: block) } != expected)
    }
  }

  /// Goal: it is Postgres's checksum. Method: every page in use of a real cluster with checksums
  /// has it.
  @Test func realPages() throws {
    let tar = TestTar(decoding: try Fixture.bytes("clean-15-minimal-promoted.tar"))
    var pageCount = 0
    for member in tar.members where member.type == "0" {
      guard let path = try member.name.bytePath, case .relationSegment(let segment) = path else {
        continue
      }
      for block in 0..<member.contents.count / 8192 {
        let page = Array(member.contents[block * 8192..<(block + 1) * 8192])
        guard page.withBytes({ PageHeader($0).isInUse }) else { continue }
        pageCount += 1
        let borne = UInt16(page[8]) | UInt16(page[9]) << 8
        let number = segment.segmentNumber * RelationSegment.blockCount + UInt32(block)
        let computed = page.withBytes { PageChecksum.checksum(of: $0, block: number) }
        #expect(computed == borne, "block \(block) of \(member.name)")
      }
    }
    #expect(pageCount > 1000)
  }

  private static func model(_ page: [UInt8], block: UInt32) -> UInt16 {
    let words = (0..<2048).map { word -> UInt32 in
      let value: UInt32 = page.withBytes { $0.littleEndian(at: word * 4) }
      return word == 2 ? value & 0xFFFF_0000 : value
    }
    var sums = offsets
    for row in 0..<66 {
      for lane in 0..<32 {
        let mixed = sums[lane] ^ (row < 64 ? words[row * 32 + lane] : 0)
        sums[lane] = mixed &* 16_777_619 ^ (mixed >> 17)
      }
    }
    return UInt16((sums.reduce(block, ^)) % 65535 + 1)
  }

  private static let offsets: [UInt32] = [
    0x5B1F_36E9, 0xB852_5960, 0x02AB_50AA, 0x1DE6_6D2A, 0x79FF_467A, 0x9BB9_F8A3, 0x217E_7CD2,
    0x83E1_3D2C, 0xF8D4_474F, 0xE39E_B970, 0x42C6_AE16, 0x9932_16FA, 0x7B09_3B5D, 0x98DA_FF3C,
    0xF718_902A, 0x0B1C_9CDB, 0xE58F_764B, 0x1876_36BC, 0x5D7B_3BB1, 0xE73D_E7DE, 0x92BE_C979,
    0xCCA6_C0B2, 0x304A_0979, 0x85AA_43D4, 0x7831_25BB, 0x6CA8_EAA2, 0xE407_EAC6, 0x4B5C_FC3E,
    0x9FBF_8C76, 0x15CA_20BE, 0xF2CA_9FD3, 0x959B_D756,
  ]
}

extension String {
  /// The decision for a member of this name.
  fileprivate var bytePath: MemberDecision? {
    get throws {
      try Array(utf8).withBytes { try MemberPath($0) }.map { MemberDecision($0, kind: .file) }
    }
  }
}
