/// The fields of the header of a relation page that an import needs.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    4 LSN of the last change, upper half
///          4    4 LSN of the last change, lower half
///          8    2 pd_checksum: 0 if the page has none
///         14    2 pd_upper: end of the page's free space; 0 in a page that is not in use
///
/// (Postgres, `src/include/storage/bufpage.h`.) Made for loops over every page of a backup.
@frozen
public struct PageHeader: Sendable {
  /// The length of a page in bytes.
  public static let pageByteCount = 8192

  /// The LSN that a page in use without an LSN is given, as initdb's bootstrap does.
  public static let bootstrapLSN = LogSequenceNumber(rawValue: 0x28)

  /// The end of the WAL record of the last change; 0 if no record was written.
  public let lsn: LogSequenceNumber

  /// The stored checksum; 0 for none.
  public let checksum: UInt16

  /// Whether the page has been initialised.
  public let isInUse: Bool

  /// Reads the header of the page at `offset` of `bytes`; traps if it is not within them.
  @inlinable
  public init(_ bytes: RawSpan, at offset: Int = 0) {
    // Two u32, the upper half first: one little-endian load swaps the halves.
    let halves: UInt64 = bytes.littleEndian(at: offset)
    lsn = LogSequenceNumber(rawValue: halves << 32 | halves >> 32)
    checksum = bytes.littleEndian(at: offset + 8)
    isInUse = bytes.littleEndian(at: offset + 14, as: UInt16.self) != 0
  }
}

/// The checksum of a page of a relation, if the cluster has data checksums.
///
/// ```
/// page     row 0  │ lane 0 │ lane 1 │ pd_checksum 0 … │ … │ lane 31 │   32 little-endian u32
///          row 1  │        │        │                 │   │         │   per row
///            ⋮
///          row 63 │        │        │                 │   │         │
///                     ▼        ▼             ▼                ▼        FNV-1a down each lane,
///                     └────────┴── xor ──────┴────────────────┘        two rows of zeros last
/// ```
///
/// The sum is combined with the number of the block in its fork, counted across segments, and
/// reduced to 1...65535: no page in use has the checksum 0. (Postgres,
/// `src/include/storage/checksum_impl.h`, `pg_checksum_page`.)
public enum PageChecksum {
  /// The checksum of a page in use, block `block` of its fork; the stored checksum counts as 0.
  /// Traps if `page` is not 8192 bytes long.
  ///
  /// About 20 GB/s: all lanes are computed together, four to a vector, so that the latency of the
  /// multiplications is hidden. (32 lanes in one SIMD32 are not specialised, and take a hundred
  /// times as long.)
  public static func checksum(of page: RawSpan, block: UInt32) -> UInt16 {
    precondition(page.byteCount == PageHeader.pageByteCount)
    var sums = Sums.offsets
    var firstLanes = Lanes(page, at: 0)
    firstLanes[2] &= 0xFFFF_0000  // pd_checksum, the u16 at byte 8
    sums.addRow(of: page, at: 0, firstLanes: firstLanes)
    for row in stride(from: 128, to: PageHeader.pageByteCount, by: 128) {
      sums.addRow(of: page, at: row, firstLanes: Lanes(page, at: row))
    }
    for _ in 0..<2 { sums.addZeros() }
    let lanes = sums.folded
    let sum = lanes[0] ^ lanes[1] ^ lanes[2] ^ lanes[3]
    return UInt16(truncatingIfNeeded: (sum ^ block) % 65535 + 1)
  }

  private typealias Lanes = SIMD4<UInt32>

  /// The sums of all 32 lanes.
  private struct Sums {
    var a, b, c, d, e, f, g, h: Lanes

    /// Adds the 128 bytes at `row`; the first 16 are passed in `firstLanes`.
    @inline(__always)
    mutating func addRow(of page: RawSpan, at row: Int, firstLanes: Lanes) {
      a = Self.mixed(a ^ firstLanes)
      b = Self.mixed(b ^ Lanes(page, at: row + 16))
      c = Self.mixed(c ^ Lanes(page, at: row + 32))
      d = Self.mixed(d ^ Lanes(page, at: row + 48))
      e = Self.mixed(e ^ Lanes(page, at: row + 64))
      f = Self.mixed(f ^ Lanes(page, at: row + 80))
      g = Self.mixed(g ^ Lanes(page, at: row + 96))
      h = Self.mixed(h ^ Lanes(page, at: row + 112))
    }

    @inline(__always)
    mutating func addZeros() {
      a = Self.mixed(a)
      b = Self.mixed(b)
      c = Self.mixed(c)
      d = Self.mixed(d)
      e = Self.mixed(e)
      f = Self.mixed(f)
      g = Self.mixed(g)
      h = Self.mixed(h)
    }

    var folded: Lanes { a ^ b ^ c ^ d ^ e ^ f ^ g ^ h }

    /// The multiplication of FNV-1a, xored with the upper bits, which it alone does not spread.
    @inline(__always)
    private static func mixed(_ lanes: Lanes) -> Lanes {
      (lanes &* Lanes(repeating: 16_777_619)) ^ (lanes &>> Lanes(repeating: 17))
    }

    /// Postgres's `checksumBaseOffsets`: random numbers, one per lane.
    static let offsets = Sums(
      a: [0x5B1F_36E9, 0xB852_5960, 0x02AB_50AA, 0x1DE6_6D2A],
      b: [0x79FF_467A, 0x9BB9_F8A3, 0x217E_7CD2, 0x83E1_3D2C],
      c: [0xF8D4_474F, 0xE39E_B970, 0x42C6_AE16, 0x9932_16FA],
      d: [0x7B09_3B5D, 0x98DA_FF3C, 0xF718_902A, 0x0B1C_9CDB],
      e: [0xE58F_764B, 0x1876_36BC, 0x5D7B_3BB1, 0xE73D_E7DE],
      f: [0x92BE_C979, 0xCCA6_C0B2, 0x304A_0979, 0x85AA_43D4],
      g: [0x7831_25BB, 0x6CA8_EAA2, 0xE407_EAC6, 0x4B5C_FC3E],
      h: [0x9FBF_8C76, 0x15CA_20BE, 0xF2CA_9FD3, 0x959B_D756])
  }
}
