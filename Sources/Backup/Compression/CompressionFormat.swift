/// What an input's first bytes say it is.
enum CompressionFormat: Equatable {
  case gzip
  case xz
  case zstd
  case lz4

  /// What pg_dump writes in its custom format, which is refused.
  case dump

  /// A compressed file or an archive of another kind, which is refused; `program` gives its
  /// contents on standard output.
  case foreign(name: String, program: String?)

  /// The format of what begins with `bytes`; nil when it is none of these, such as a tar.
  ///
  /// zstd and lz4 share the magic numbers of skippable frames: those are stepped over as far as
  /// `bytes` goes, and taken for zstd, whose parallel writer puts one first, where it ends.
  ///
  /// Sources: Postgres, `src/bin/pg_dump/pg_backup_custom.c`; RFC 1952 2.3.1, the xz file format
  /// 2.1.1.1, RFC 8878 3.1.1 and 3.1.2, the LZ4 frame format's "General structure of LZ4 frame
  /// format".
  package init?(bytes: RawSpan) {
    var offset = 0
    while offset + 8 <= bytes.byteCount,
      Self.skippableMagicNumbers.contains(bytes.littleEndian(at: offset))
    {
      offset += 8 + Int(bytes.littleEndian(at: offset + 4, as: UInt32.self))
    }
    let rest = bytes.extracting(min(offset, bytes.byteCount)...)
    for (format, magic) in Self.magics where rest.starts(with: magic) {
      self = format
      return
    }
    if offset == 0 { return nil }
    self = .zstd
  }

  private static let skippableMagicNumbers: ClosedRange<UInt32> = 0x184D_2A50...0x184D_2A5F

  private static let magics: [(CompressionFormat, [UInt8])] = [
    (.gzip, [0x1F, 0x8B]),
    (.xz, [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]),
    (.zstd, [0x28, 0xB5, 0x2F, 0xFD]),
    (.lz4, [0x04, 0x22, 0x4D, 0x18]),
    (
      .foreign(name: "an lz4 file in the legacy format", program: "lz4 -dc"), [2, 0x21, 0x4C, 0x18]
    ),
    (.dump, Array("PGDMP".utf8)),
    (.foreign(name: "a bzip2 file", program: "bzip2 -dc"), [0x42, 0x5A, 0x68]),
    (.foreign(name: "a file of 'compress'", program: "gzip -dc"), [0x1F, 0x9D]),
    (.foreign(name: "an lzip file", program: "lzip -dc"), [0x4C, 0x5A, 0x49, 0x50]),
    (.foreign(name: "a zip archive", program: nil), [0x50, 0x4B, 3, 4]),
    (.foreign(name: "a 7z archive", program: nil), [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]),
  ]
}

extension RawSpan {
  fileprivate func starts(with prefix: [UInt8]) -> Bool {
    prefix.count <= byteCount
      && prefix.indices.allSatisfy { littleEndian(at: $0, as: UInt8.self) == prefix[$0] }
  }
}
